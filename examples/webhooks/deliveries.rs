//! What the sender sends: events, and the deliveries of each.

use std::fs;

use serde_json::Value;

use crate::Failure;
use crate::args::Args;
use crate::random::Random;

const SAMPLE: &str = include_str!("../data/webhooks-sample.jsonl");

/// One event; its deliveries all have its id.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) kind: String,
    body: String,
    changed_body: String,
}

/// One arrival of an event.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    /// Which event.
    pub(crate) event: usize,
    /// Which of its copies.
    pub(crate) copy: u32,
    /// The sender has changed the body and kept the id.
    pub(crate) changed: bool,
    /// How often it has been delivered again.
    pub(crate) again: u32,
}

impl Event {
    pub(crate) fn body(&self, delivery: &Delivery) -> &str {
        if delivery.changed {
            &self.changed_body
        } else {
            &self.body
        }
    }
}

/// The name of the events in messages, and the events.
pub(crate) fn load(args: &Args) -> Result<(String, Vec<Event>), Failure> {
    let (name, text) = match &args.file {
        None => ("the built-in sample".to_owned(), SAMPLE.to_owned()),
        Some(path) => {
            let name = path.display().to_string();
            let text = fs::read_to_string(path).map_err(|error| format!("{name}: {error}"))?;
            (name, text)
        }
    };
    let mut events = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim().is_empty() {
            continue;
        }
        let event =
            event(number, line).map_err(|error| format!("{name}, line {number}: {error}"))?;
        events.push(event);
    }
    if events.is_empty() {
        return Err(format!("{name} has no events").into());
    }
    Ok((name, events))
}

/// The payloads carry no delivery id, so the event, the example and the line make one.
fn event(number: usize, line: &str) -> Result<Event, Failure> {
    let mut parsed: Value = serde_json::from_str(line)?;
    let mut payload = parsed
        .get_mut("payload")
        .map(Value::take)
        .ok_or("the field payload is missing")?;
    let text = |name: &str| {
        let value = parsed.get(name).and_then(Value::as_str);
        value.ok_or_else(|| format!("the field {name} is missing, or no string"))
    };
    let kind = text("event")?.to_owned();
    let example = text("example")?;
    let example = example.strip_suffix(".payload.json").unwrap_or(example);
    let id = format!("{kind}/{example}#{number}");
    let body = payload.to_string();
    match &mut payload {
        Value::Object(fields) => {
            fields.insert("edited_by_sender".to_owned(), Value::Bool(true));
        }
        other => *other = Value::Array(vec![other.take()]),
    }
    Ok(Event {
        id,
        kind,
        body,
        changed_body: payload.to_string(),
    })
}

/// All deliveries, in the order in which they arrive.
///
/// The first two copies of an event come back to back, as when a sender's patience ends while the
/// first is still being handled; the others come whenever they like.
pub(crate) fn plan(events: &[Event], args: &Args) -> Vec<Delivery> {
    let mut random = Random::new(args.seed);
    let mut bursts = Vec::new();
    for event in 0..events.len() {
        let mut copies = Vec::new();
        for copy in 0..args.copies {
            copies.push(Delivery {
                event,
                copy,
                changed: copy > 0 && random.percent(args.rate / 4),
                again: 0,
            });
        }
        let later = copies.split_off(copies.len().min(2));
        bursts.push(copies);
        bursts.extend(later.into_iter().map(|copy| vec![copy]));
    }
    random.shuffle(&mut bursts);
    bursts.into_iter().flatten().collect()
}
