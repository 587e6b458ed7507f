//! Which log a store is written with.

use hapax::LogKind;

use crate::Failure;

pub(crate) fn parse(text: &str) -> Result<LogKind, Failure> {
    match text {
        "sled" => Ok(LogKind::Sled),
        "files" => Ok(LogKind::Files),
        _ => Err(format!("--log is {text:?}: give it sled or files").into()),
    }
}

pub(crate) fn name(kind: LogKind) -> &'static str {
    match kind {
        LogKind::Files => "files",
        _ => "sled",
    }
}
