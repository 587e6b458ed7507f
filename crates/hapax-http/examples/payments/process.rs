//! The server as a separate process, which can be killed.

use std::net::SocketAddr;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::Failure;
use crate::args::ServerArgs;
use crate::server::LISTENING;

/// Makes the command that runs this program with these words.
pub(crate) type Launch = dyn Fn(&[std::ffi::OsString]) -> Command + Send + Sync;

/// A server that was started.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
}

impl Process {
    pub(crate) fn start(launch: &Launch, args: &ServerArgs) -> Result<Self, Failure> {
        let mut command = launch(&args.words());
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        Ok(Self {
            child: command.spawn()?,
        })
    }

    /// Waits until it listens.
    pub(crate) async fn listening(&mut self) -> Result<SocketAddr, Failure> {
        let out = self
            .child
            .stdout
            .as_mut()
            .ok_or("the server was asked before")?;
        let mut lines = BufReader::new(out).lines();
        while let Some(line) = lines.next_line().await? {
            if let Some(address) = line.strip_prefix(LISTENING) {
                return Ok(address.parse()?);
            }
        }
        let status = self.child.wait().await?;
        Err(format!("the server ended before it listened: {status}").into())
    }

    /// Sends `kill -9`, and waits until the process is gone.
    pub(crate) async fn kill(mut self) -> Result<(), Failure> {
        if let Some(status) = self.child.try_wait()? {
            return Err(format!("the server ended by itself: {status}").into());
        }
        Ok(self.child.kill().await?)
    }

    /// Lets it finish its requests and close its store.
    pub(crate) async fn stop(mut self) -> Result<(), Failure> {
        drop(self.child.stdin.take());
        let out = self.child.wait_with_output().await?;
        if out.status.success() {
            Ok(())
        } else {
            Err(format!("the server ended with {}", out.status).into())
        }
    }
}
