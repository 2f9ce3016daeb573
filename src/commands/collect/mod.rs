//! `collect`: figures of namespaces for Prometheus, written to files, printed, or served.

mod gather;
mod http;
mod serve;

use crate::cli::Collect;
use crate::model::NetnsName;
use anyhow::{Context, Result};
use gather::{Gather, Thoroughness};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// Does what was typed.
pub fn collect(root: &Path, what: &Collect) -> Result<()> {
    if let Some(address) = what.listen {
        return serve::serve(root, address);
    }
    let mut gather = Gather::default();
    if what.print {
        let names = Some(what.names.as_slice()).filter(|names| !names.is_empty());
        let text = gather.text(root, names, Thoroughness::Full)?;
        return std::io::stdout().lock().write_all(text.as_bytes()).context("print");
    }
    match what.every {
        None => write_all(&mut gather, root, what),
        Some(seconds) => keep(&mut gather, root, what, Duration::from_secs(seconds)),
    }
}

/// Writes again and again. A namespace may come and go meanwhile: its file says so.
fn keep(gather: &mut Gather, root: &Path, what: &Collect, every: Duration) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("start the runtime")?;
    let inside = runtime.enter();
    let mut end = signal(SignalKind::terminate()).context("watch for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("watch for SIGINT")?;
    drop(inside);
    write_all(gather, root, what)?;
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    // Figures are taken outside of the runtime: systemd is asked by one of its own.
    let mut pause = || {
        runtime.block_on(async {
            tokio::select! {
                () = tokio::time::sleep(every) => true,
                _ = end.recv() => false,
                _ = interrupt.recv() => false,
            }
        })
    };
    while pause() {
        write_all(gather, root, what)?;
    }
    for name in &what.names {
        // It may be gone already.
        let _ = std::fs::remove_file(file(&what.directory, name));
    }
    Ok(())
}

fn write_all(gather: &mut Gather, root: &Path, what: &Collect) -> Result<()> {
    let often = if what.every.is_some() { Thoroughness::Sparing } else { Thoroughness::Full };
    for name in &what.names {
        let text = gather.text(root, Some(std::slice::from_ref(name)), often)?;
        let path = file(&what.directory, name);
        // node_exporter reads *.prom only, and sees the old file or the new one.
        let new = what.directory.join(format!("netns_{name}.prom.new"));
        std::fs::write(&new, text)
            .and_then(|()| std::fs::rename(&new, &path))
            .with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}

fn file(directory: &Path, name: &NetnsName) -> PathBuf {
    directory.join(format!("netns_{name}.prom"))
}
