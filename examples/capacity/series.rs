//! A row of stores, each in its own process, so that no store leaves memory to the next.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::Failure;
use crate::args::{Fill, Plot};
use crate::figures::Figures;
use crate::plot;

/// Each ten times the one before it; the last is the largest that was asked for.
pub(crate) fn sizes(from: u64, to: u64) -> Vec<u64> {
    let tens = std::iter::successors(Some(from), |keys| keys.checked_mul(10));
    let mut sizes: Vec<u64> = tens.take_while(|keys| *keys < to).collect();
    sizes.push(to);
    sizes
}

/// Rewrites the files after each store, so that a row that is stopped keeps its results.
pub(crate) fn run(
    plot: &Plot,
    dir: &Path,
    tell: &mut dyn FnMut(&Figures) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut row = Vec::new();
    for keys in sizes(plot.from, plot.to) {
        let figures = child(&plot.fill, keys, dir)?;
        tell(&figures)?;
        row.push(figures);
        fs::write(&plot.file, plot::svg(&row))?;
        fs::write(plot.file.with_extension("csv"), csv(&row))?;
    }
    Ok(())
}

pub(crate) fn csv(row: &[Figures]) -> String {
    let mut text = Figures::NAMES.join(",") + "\n";
    for figures in row {
        text += &(figures.csv() + "\n");
    }
    text
}

fn child(fill: &Fill, keys: u64, dir: &Path) -> Result<Figures, Failure> {
    let dir = dir.join(format!("keys-{keys}"));
    let (batch, samples) = (fill.batch.to_string(), fill.samples.to_string());
    let output = Command::new(std::env::current_exe()?)
        .args(["--keys", &keys.to_string()])
        .args(["--batch", &batch, "--samples", &samples])
        .args(["--log", &fill.log.to_string()])
        .arg("--dir")
        .arg(&dir)
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(format!("the run with {keys} keys: {}", output.status).into());
    }
    fs::remove_dir_all(&dir)?;
    Figures::read(&String::from_utf8(output.stdout)?)
}
