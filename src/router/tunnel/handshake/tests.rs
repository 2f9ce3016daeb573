//! Requests and responses: bytes that gost was seen to send, and what survives being written.

use super::*;
use proptest::prelude::*;

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn decode(message: &[u8]) -> Result<Request, Mistake> {
    let (header, rest) = message.split_first_chunk().unwrap();
    assert_eq!(super::rest(*header)?, rest.len());
    Request::decode(*header, rest)
}

fn plain() -> Request {
    Request {
        user: None,
        host: "host-1".parse().unwrap(),
        addresses: vec!["192.168.123.1".parse().unwrap()],
        id: None,
        weight: 0,
        instance: None,
    }
}

#[test]
fn a_request_of_gost_is_understood_and_written_alike() {
    let seen = bytes("0103001c040002000202000701c0a87b01000002000a0306686f73742d310000");
    assert_eq!(decode(&seen), Ok(plain()));
    assert_eq!(plain().encode(), seen);
}

#[test]
fn a_request_with_everything_has_its_order() {
    let id: Uuid = "e87f56dd-fd57-4921-9ab8-a0847662daae".parse().unwrap();
    let user = User { name: b"me"[..].into(), password: Secret(b"pw"[..].into()) };
    let request = Request { user: Some(user), id: Some(id), ..plain() };
    let wanted = concat!(
        "0103003c",
        "010006026d65027077",
        "0400020002",
        "02000701c0a87b010000",
        "02000a0306686f73742d310000",
        "030014e87f56ddfd5749219ab8a0847662daae00000000"
    );
    assert_eq!(request.encode(), bytes(wanted));
    assert_eq!(decode(&bytes(wanted)), Ok(request));
    // The id alone is enough; its flag, reserved bytes and weight may be missing.
    let short =
        "01030030040002000202000701c0a87b01000002000a0306686f73742d310000030010e87f56ddfd5749219ab8a0847662daae";
    let short = short.replacen("01030030", "0103002f", 1);
    assert_eq!(decode(&bytes(&short)).unwrap().id, Some(id));
}

#[test]
fn an_id_of_zeros_is_none() {
    let zero =
        "0103003004000200020200070100000000000002000a0306686f73742d31000003001100000000000000000000000000000000 00";
    let zero = zero.replace(' ', "");
    assert_eq!(decode(&bytes(&zero)), Ok(Request { addresses: Vec::new(), ..plain() }));
}

#[test]
fn what_is_no_request_is_told_apart() {
    let name = "02000a0306686f73742d310000";
    for (hex, wanted) in [
        ("02030000", Mistake::Version(2)),
        ("01010000", Mistake::Command(1)),
        ("0103ffff", Mistake::Long(65535)),
        ("01030000", Mistake::Host(String::new())),
        ("01030003040002", Mistake::Feature(4)),
        ("010300050400020001", Mistake::Network(1)),
        ("010300050200020901", Mistake::Feature(2)),
        ("0103000703000401020304", Mistake::Feature(3)),
        ("0103000901000603616263ff61", Mistake::Feature(1)),
        ("0103000a020007030361206200 00", Mistake::Host("a b".into())),
        // A name alone is the host's, whatever there is that nobody knows.
        (&format!("01030011f1000161{name}"), Mistake::Version(0)),
    ] {
        let message = bytes(&hex.replace(' ', ""));
        let header = *message.first_chunk().unwrap();
        let read = Request::decode(header, message.get(HEADER..).unwrap_or_default());
        match wanted {
            Mistake::Version(0) => assert_eq!(read.map(|read| read.host), Ok("host-1".parse().unwrap())),
            wanted => assert_eq!(read, Err(wanted), "{hex}"),
        }
    }
}

#[test]
fn a_password_is_not_shown() {
    let user = User { name: b"me"[..].into(), password: Secret(b"secret"[..].into()) };
    assert!(!format!("{user:?}").contains("secret"));
    assert_ne!(user.password, Secret(b"secre7"[..].into()));
}

#[test]
fn responses_are_as_gost_sends_them() {
    let id: Uuid = "00112233-4455-6677-8899-aabbccddeeff".parse().unwrap();
    let seen = bytes("0100001703001400112233445566778899aabbccddeeff00000000");
    let response = Response { status: Status::Ok, connector: Some(id) };
    assert_eq!(response.encode(), seen);
    for (number, status) in
        [(0, Status::Ok), (1, Status::BadRequest), (2, Status::Unauthorized), (6, Status::HostUnreachable)]
    {
        let read = Response::decode([1, number, 0, 0], &[]).unwrap();
        assert_eq!((read.status, read.connector), (status, None));
        assert_eq!(read.encode(), [1, number, 0, 0]);
    }
    assert_eq!(Status::from(77), Status::Other(77));
    assert_eq!(Response::decode([1, 0, 0, 5], &[3, 0, 2, 1, 1]), Err(Mistake::Feature(3)));
}

prop_compose! {
    fn any_request()(
        user in prop::option::of((prop::collection::vec(any::<u8>(), 0..256), prop::collection::vec(any::<u8>(), 0..256))),
        host in "[a-zA-Z0-9._@:-]{1,255}",
        addresses in prop::collection::btree_set(any::<IpAddr>().prop_filter("some", |a| !a.is_unspecified()), 0..ADDRESSES),
        id in any::<Option<u128>>(), weight in any::<u8>(), instance in any::<Option<[u8; 16]>>(),
    ) -> Request {
        Request {
            user: user.map(|(name, password)| User { name: name.into(), password: Secret(password.into()) }),
            host: host.parse().unwrap(),
            addresses: addresses.into_iter().collect(),
            id: id.map(Uuid::from_u128).filter(|id| !id.is_nil()),
            weight,
            instance,
        }
    }
}

proptest! {
    /// What is written is read as it was, and is never longer than what is listened to.
    #[test]
    fn requests_survive_being_written(request in any_request()) {
        let message = request.encode();
        prop_assert!(message.len() <= HEADER + LONGEST);
        prop_assert_eq!(decode(&message), Ok(request));
    }

    /// Of a request that was cut off nothing is believed but whole features.
    #[test]
    fn requests_end_anywhere_without_harm(request in any_request(), at in any::<prop::sample::Index>()) {
        let message = request.encode();
        let (header, features) = message.split_first_chunk().unwrap();
        let _ = Request::decode(*header, &features[..at.index(features.len())]);
    }
}
