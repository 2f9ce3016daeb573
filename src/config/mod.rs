//! Meaning: from stanzas to the links, addresses, routes and rules that they ask for.
//!
//! ```text
//! files ─▶ inherit ─┐                 ┌─▶ inet, inet6, tunnel, dhcp, route, rule, link_options, resolv, scripts, environment
//!          options ─┤                 │
//! select, mapping ──┼─▶ assemble ─▶ stanza ─▶ draft ─▶ members ─▶ conflicts ─▶ Desired
//! pairs ────────────┤      │
//! kind, ports ──────┴─▶ depend      ini ─▶ tuntap, xfrm ─┘
//!                                    └─▶ section ─▶ router ─▶ Settings
//! ```
//!
//! `xfrm`, `tuntap`, `sysctl` and `nat` read the files of these names, in view of the links that there are then; `ruleset` reads `nftables`; `router` reads a router's. `kind` says what a link is and reads the options of its kind, `depend` finds on which others it stands, `members` what
//! ports are to their masters.
//!
//! Debian's ifupdown is the reference. Nothing here touches the machine but to read the files; what else the meaning
//! depends on is asked through [`Surroundings`]. Nothing fails: a mistake is a diagnostic with its place, all are
//! reported, and with an error among them there is no [`Desired`](crate::model::Desired).
//!
//! Deviations from ifupdown, each because copying it would hurt:
//!
//! - a heir's own option replaces the inherited one; a second single-valued option in one stanza is an error; several
//!   `address` lines are several addresses (Debian joins all of these with a newline)
//! - every class is brought up, not only `auto`; so are the inner ends of `link-netns` pairs, `iface BR..X`, and a
//!   VLAN's parent with a stanza but no `auto`; `lo` is always up
//! - a name of an `auto` line without a stanza is an error, unless a pattern found it
//! - a mistake in one stanza, a second default route of the same metric, a VLAN that cannot be made or a missing link
//!   of a `manual` stanza stops everything instead of half of it
//! - `hwaddress random` is the same at every start and reload on the same machine
//! - an alias' IPv6 addresses are not deprecated
//! - the words after a `#` in a value of one word do not count; `gateway A # text` keeps `onlink` and its link
//! - `vlan-id` gives a VLAN any name, and `vlan-protocol 802.1ad` another ethertype
//! - `iface NAME` alone has addresses of both families
//! - `route` and `rule` are options of their own
//! - a port or slave with a stanza but no `auto` is brought up with its bridge or bond, and a bond with its slaves
//! - the parent of a VLAN port that stays on the host keeps its IPv6 link-local address: only one inside loses it
//! - without STP and `bridge_maxwait` nothing waits for ports: one without a cable would hold the start for half a minute
//! - `bridge_vlan_aware on` is as good as `yes`, and options of a bridge or bond may stand in any stanza of its name
//! - a setting that the kernel refuses alone, which the hooks pass over, is left out with a warning; one that is no value is
//!   an error
//! - `bridge_pathcost` and `bridge_portprio` are options of a port's own stanza too
//! - `lan.10` with `vlan-raw-device eth0` is a VLAN of that name
//! - a bond's `primary` and a port's `bond-master` do not depend on the order of stanzas
//! - expressions for ports (`all`, `regex`) are held against all links at the end, and leave out what another has
//! - the options of ifupdown2 and ifupdown-ng for what Debian's has no word for mean what they mean there; `gateway` may be
//!   given twice, VRFs have a last route that is unreachable

mod assemble;
mod check;
mod conflicts;
mod depend;
mod dhcp;
mod dial;
mod draft;
mod environment;
mod files;
mod guess;
mod inet;
mod inet6;
mod inherit;
mod ini;
mod inputs;
mod kind;
mod link_options;
mod link_rows;
mod load;
mod mapping;
mod members;
mod method;
mod nat;
mod on_host;
mod options;
mod pairs;
mod ports;
mod regex;
mod report;
mod resolv;
mod route;
mod router;
mod rule;
mod ruleset;
mod scripts;
mod section;
mod select;
mod stable;
mod stanza;
mod surroundings;
mod sysctl;
mod table;
mod tunnel;
mod tuntap;
mod uwsgi;
mod value;
mod xfrm;

pub use files::list;
pub use inputs::Input;
pub use load::{Loaded, host_links, load, load_from, made_on_host};
pub use nat::{PublishedSocket, nat_warnings};
pub use router::{Accounts, LoadedRouter, gate, list_routers, load_router, router_path};
pub use surroundings::{Nothing, Surroundings};
pub use table::{OptionRow, OptionStatus, options};
pub use tuntap::device_settings;
pub use uwsgi::UwsgiOptions;
pub use xfrm::uplink;
