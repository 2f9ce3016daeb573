//! `completions SHELL` and `man DIR`: texts made from the definition of the command line.

use anyhow::{Context, Result};
use clap_complete::Shell;
use std::path::Path;

/// Prints a shell's completions.
pub fn completions(shell: Shell, mut command: clap::Command) {
    clap_complete::generate(shell, &mut command, "systemd-netns", &mut std::io::stdout());
}

/// Writes `systemd-netns.8` and a page for each subcommand.
pub fn man(directory: &Path, command: clap::Command) -> Result<()> {
    std::fs::create_dir_all(directory).with_context(|| format!("make {}", directory.display()))?;
    let command = command.disable_help_subcommand(true);
    let root = clap_mangen::Man::new(command.clone()).section("8").manual("systemd-netns");
    write(directory, "systemd-netns.8", &root)?;
    for sub in command.get_subcommands().filter(|s| !s.is_hide_set()) {
        let name = format!("systemd-netns-{}", sub.get_name());
        let sub = sub.clone().name(name.clone()).bin_name(format!("systemd-netns {}", sub.get_name()));
        let page = clap_mangen::Man::new(sub).section("8").manual("systemd-netns");
        write(directory, &format!("{name}.8"), &page)?;
    }
    Ok(())
}

fn write(directory: &Path, name: &str, page: &clap_mangen::Man) -> Result<()> {
    let path = directory.join(name);
    let mut text = Vec::new();
    page.render(&mut text).context("render a man page")?;
    std::fs::write(&path, text).with_context(|| format!("write {}", path.display()))
}
