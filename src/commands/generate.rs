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
    write(directory, "systemd-netns.8", &root, MORE)?;
    for sub in command.get_subcommands().filter(|s| !s.is_hide_set()) {
        let name = format!("systemd-netns-{}", sub.get_name());
        let sub = sub.clone().name(name.clone()).bin_name(format!("systemd-netns {}", sub.get_name()));
        let page = clap_mangen::Man::new(sub).section("8").manual("systemd-netns");
        write(directory, &format!("{name}.8"), &page, SEE_ALSO)?;
    }
    Ok(())
}

/// What is said of the program beside its command line.
const MORE: &str = r#".SH UNITS
.TP
.B systemd\-netns@NAME.service
The namespace of the service NAME.service, bound to it by a drop\-in; it goes when the last service inside has stopped.
.TP
.B systemd\-netns\-dhcp@NAME:LINK:FAMILY.service
A client that asks the network for addresses; started and stopped with the namespace.
.TP
.B systemd\-netns\-device@NAME:LINK.service
Holds a device of the namespace for its router.
.TP
.B systemd\-netns\-names.service
Keeps the host's resolv.conf, hosts and nsswitch.conf out of sight.
.TP
.B systemd\-netns\-router@ROUTER.service\fR, \fBsystemd\-netns\-router@ROUTER.socket
A router; see
.BR systemd\-netns\-router (5).
.TP
.B systemd\-netns\-exporter.socket\fR, \fBsystemd\-netns\-exporter.service\fR, \fBprometheus\-netns\-collector@NAME.service
Figures for Prometheus; see
.BR systemd\-netns\-metrics (7).
.SH FILES
.TP
.I /etc/netns/NAME/network/interfaces\fR, \fIlinks\fR, \fIxfrm\fR, \fItuntap\fR, \fInat\fR, \fInftables\fR, \fIsysctl
What the namespace has.
.TP
.I /etc/netns/NAME/resolv.conf\fR, \fIhosts\fR, \fInsswitch.conf
What services inside see as their own.
.TP
.I /etc/systemd\-netns/router/ROUTER.conf
A router.
.TP
.I /usr/share/systemd\-netns\-helper/netns.conf
The drop\-in that puts a service into the namespace of its name.
.TP
.I /run/systemd\-netns/
What was done, from which it is undone.
.TP
.I /usr/lib/udev/rules.d/70\-systemd\-netns.rules\fR, \fI/usr/lib/systemd/network/05\-systemd\-netns.network
Keep NetworkManager and systemd\-networkd off the links that are made on the host.
.SH JOURNAL
Each change is a message of its own, with the fields
.BR NETNS= \ or\  ROUTER= ,
.BR OP= ,
.B LINK=
and
.B PLACE=
where there is one, and a
.B MESSAGE_ID=
that
.B journalctl \-x
explains.
.SH SEE ALSO
.BR systemd\-netns\-interfaces (5),
.BR systemd\-netns\-xfrm (5),
.BR systemd\-netns\-tuntap (5),
.BR systemd\-netns\-router (5),
.BR systemd\-netns\-nat (5),
.BR systemd\-netns\-firewall (5),
.BR systemd\-netns\-metrics (7),
.BR ip\-netns (8)
"#;
const SEE_ALSO: &str = ".SH SEE ALSO\n.BR systemd\\-netns (8)\n";

fn write(directory: &Path, name: &str, page: &clap_mangen::Man, more: &str) -> Result<()> {
    let path = directory.join(name);
    let mut text = Vec::new();
    page.render(&mut text).context("render a man page")?;
    text.extend(more.bytes());
    std::fs::write(&path, text).with_context(|| format!("write {}", path.display()))
}
