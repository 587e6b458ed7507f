//! What the system tells about a process.

use crate::outcome::Outcome;

/// The number of this process.
#[must_use]
pub fn own_id() -> u32 {
    std::process::id()
}

/// Memory of a process that is its own: resident, and backed by no file that it could be dropped to.
///
/// # Errors
/// When the system does not say.
pub fn resident_bytes(process: u32) -> Outcome<u64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    Ok(number_after(&text, "RssAnon:").ok_or("there is no RssAnon")? * 1024)
}

/// Bytes that this process has handed to calls that write.
///
/// # Errors
/// When the system does not say.
pub fn written_bytes() -> Outcome<u64> {
    let text = std::fs::read_to_string("/proc/self/io")?;
    Ok(number_after(&text, "wchar:").ok_or("there is no wchar")?)
}

/// The number that follows a label.
#[must_use]
pub fn number_after(text: &str, label: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(label))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_found_at_the_beginning_of_a_line() {
        let text = "VmRSS:\t  99 kB\nRssAnon:\t    1234 kB\n";
        assert_eq!(number_after(text, "RssAnon:"), Some(1234));
        assert_eq!(number_after(text, "Rss:"), None);
    }

    #[test]
    fn this_process_has_memory_and_writes() {
        assert!(resident_bytes(own_id()).unwrap() > 0);
        let before = written_bytes().unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), [0; 4096]).unwrap();
        assert!(written_bytes().unwrap() >= before + 4096);
    }
}
