//! Keys that are joined from several values, and their parts; and keys that someone chose to do harm.

use hapax::key::KeyPart;
use hapax::scan::KeyFilter;
use hapax::{Claim, Key, KeyInfo, Policy};

use crate::site::site::Site;
use crate::world::world::World;

pub(crate) fn keys_of_mixed_parts_name_different_work_and_come_back(world: &dyn World) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_least_once());
    let uuid = 0x8e03_978e_40d5_43e8_bc93_6894_a57f_9324_u128;
    let keys = [
        Key::join(42),
        Key::join(-42),
        Key::join("42".split(' ').collect::<Vec<_>>()),
        Key::join(("order", 42)),
        Key::join(("order", "42")),
        Key::join(("order", uuid)),
        Key::join(("order", uuid.to_be_bytes())),
        Key::join(("order", 4, 2)),
        Key::join((
            "tenant",
            String::from("order"),
            42_u64,
            [0xff_u8, 0],
            i64::MIN,
        )),
    ];
    for key in &keys {
        assert!(work.insert(key).unwrap(), "{key:?} is new");
    }
    let met: hapax::Result<Vec<KeyInfo>> = work.scan(KeyFilter::new()).unwrap().collect();
    let mut met = met.unwrap();
    assert_eq!(met.len(), keys.len());
    // A scan has an order of its own in each home.
    met.sort_by_key(|info| keys.iter().position(|key| key.as_ref() == info.key()));
    for (info, key) in met.iter().zip(&keys) {
        let parts = Key::split(info.key()).unwrap();
        assert_eq!(&parts.into_iter().collect::<Key>(), key);
    }
    let parts = Key::split(met[8].key()).unwrap();
    assert_eq!(
        parts,
        [
            KeyPart::Bytes(b"tenant"),
            KeyPart::Bytes(b"order"),
            KeyPart::Natural(42),
            KeyPart::Bytes(b"\xff\0"),
            KeyPart::Negative(i64::MIN.into()),
        ]
    );
    let shown: Vec<String> = parts.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            r#""tenant""#,
            r#""order""#,
            "42",
            r"\xff\x00",
            "-9223372036854775808"
        ]
    );
    assert_eq!(parts[2].as_integer::<u32>(), Some(42));
    assert_eq!(parts[4].as_integer::<i64>(), Some(i64::MIN));
    assert_eq!(parts[4].as_integer::<i32>(), None);
    assert_eq!((parts[2].as_str(), parts[3].as_str()), (None, None));
}

pub(crate) fn hostile_keys_are_keys_like_any_other(world: &dyn World) {
    let mut site = Site::new(world);
    let mut keys: Vec<Vec<u8>> = vec![
        vec![0],
        vec![0; 2],
        vec![0xff; 1024],
        b"../../etc/passwd".to_vec(),
        b"' OR 1=1; --".to_vec(),
        b"{\"a\":1}\r\n\x1b[2J".to_vec(),
        "\u{202e}\u{0}e\u{301}".into(),
        "e\u{301}".into(),
        "\u{e9}".into(),
        vec![0xc0, 0x80],
    ];
    keys.push(Key::join(["a", "bc"]).as_ref().to_vec());
    keys.push(Key::join(["ab", "c"]).as_ref().to_vec());
    for round in 0..2 {
        let work = site.namespace(Policy::at_least_once());
        for key in &keys {
            match work.claim(key).unwrap() {
                Claim::Granted(lease) if round == 0 => lease.complete(key).unwrap(),
                Claim::Completed(answer) if round == 1 => assert_eq!(answer.response(), key),
                other => panic!("{key:?}: {other:?}"),
            }
        }
        assert_eq!(work.scan(KeyFilter::new()).unwrap().count(), keys.len());
        drop(work);
        site.restart();
    }
}
