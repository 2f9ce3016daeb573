//! IPsec's states in a namespace, counted by the interface ID that they carry: `XFRM_MSG_GETSA` (`linux/xfrm.h`).
//!
//! Keys are in these messages; none is kept.
//!
//! Must not know: who negotiates them.

use super::error::Error;
use super::netns::Namespace;
use super::session::{Request, Session};
use super::view;
use nix::errno::Errno;
use std::collections::BTreeMap;

/// `XFRM_MSG_GETSA`.
const XFRM_MSG_GETSA: u16 = 18;
/// `XFRMA_IF_ID`.
const XFRMA_IF_ID: u16 = 31;
/// The size of `struct xfrm_usersa_info`.
const HEADER: usize = 224;

/// How many states there are of each interface ID, those of both directions together.
///
/// # Errors
/// When the kernel does not answer, or refuses to.
pub fn states(namespace: &Namespace) -> Result<BTreeMap<u32, usize>, Error> {
    let Some(mut session) = open(namespace)? else { return Ok(BTreeMap::new()) };
    let request = Request::raw(XFRM_MSG_GETSA, Vec::new());
    let mut counts = BTreeMap::new();
    for id in session.dump(&request, if_id)? {
        *counts.entry(id).or_insert(0) += 1;
    }
    Ok(counts)
}

/// A conversation, where the kernel has IPsec.
fn open(namespace: &Namespace) -> Result<Option<Session>, Error> {
    match Session::open_xfrm(namespace) {
        Err(error) if matches!(error.errno(), Some(Errno::EPROTONOSUPPORT | Errno::EAFNOSUPPORT)) => Ok(None),
        other => other.map(Some),
    }
}

fn if_id(payload: &[u8]) -> Option<u32> {
    let id = view::attributes_after(payload, HEADER).find(|(kind, _)| *kind == XFRMA_IF_ID);
    id.map(|(_, value)| view::u32(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_interface_id_is_behind_the_state() {
        let mut message = vec![0; HEADER];
        message.extend([8, 0, 31, 0]);
        message.extend(17u32.to_ne_bytes());
        assert_eq!(if_id(&message), Some(17));
        assert_eq!(if_id(&message[..HEADER]), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = if_id(&bytes);
        }
    }
}
