//! Meaning: from stanzas to the links, addresses, routes and rules that they ask for.
//!
//! ```text
//! files ─▶ inherit ─┐                 ┌─▶ inet, inet6, dhcp, route, rule, link_options, resolv, scripts, environment
//!          options ─┤                 │
//! select, mapping ──┼─▶ assemble ─▶ stanza ─▶ draft ─▶ conflicts ─▶ Desired
//! pairs, link_kind ─┘
//! ```
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

mod assemble;
mod check;
mod conflicts;
mod dhcp;
mod draft;
mod environment;
mod files;
mod guess;
mod inet;
mod inet6;
mod inherit;
mod inputs;
mod link_kind;
mod link_options;
mod load;
mod mapping;
mod method;
mod options;
mod pairs;
mod report;
mod resolv;
mod route;
mod rule;
mod scripts;
mod select;
mod stable;
mod stanza;
mod surroundings;
mod value;

pub use files::list;
pub use inputs::Input;
pub use load::{Loaded, host_links, load};
pub use surroundings::{Nothing, Surroundings};
