//! Law 3, *text = deed*: what is printed, run with `sh`, and what is applied leave the same.
#![allow(dead_code, reason = "each test file uses a part of it")]

use super::{dumps, in_two_worlds, sh};
use systemd_netns::kernel::{Kernel, netns};
use systemd_netns::model::NetnsName;
use systemd_netns::plan::Op;

/// The state that `ip` and this program agree to be equal.
pub fn shown() -> Vec<(String, serde_json::Value)> {
    let names = netns::list().unwrap();
    dumps(&names.iter().map(NetnsName::as_str).collect::<Vec<_>>())
}

/// Law 3: the printed text and the deed leave the same.
#[track_caller]
pub fn text_is_deed(setup: &str, ops: &[Op]) {
    let text: Vec<String> = ops.iter().map(Op::to_string).collect();
    let by_text = || {
        sh(setup);
        sh(&text.join("\n"));
    };
    // In one run and one conversation, as a plan is applied.
    let by_deed = || {
        sh(setup);
        Kernel::new().apply(ops).unwrap_or_else(|failure| panic!("{}: {failure}", ops[failure.index]));
    };
    let Some((text, deed)) = in_two_worlds(by_text, by_deed, shown) else { return };
    for ((table, text), (_, deed)) in text.iter().zip(&deed) {
        let rows = |value: &serde_json::Value| {
            value.as_array().into_iter().flatten().map(serde_json::Value::to_string).collect::<Vec<_>>()
        };
        let only = |a: &serde_json::Value, b: &serde_json::Value| {
            let there = rows(b);
            rows(a).into_iter().filter(|row| !there.contains(row)).collect::<Vec<_>>().join("\n")
        };
        let (by_text, by_deed) = (only(text, deed), only(deed, text));
        assert!(text == deed, "{table}\nby text:\n{by_text}\nby deed:\n{by_deed}\nafter\n{}", ops_text(ops));
    }
    assert_eq!(text.len(), deed.len());
}

pub fn ops_text(ops: &[Op]) -> String {
    ops.iter().map(|op| format!("{op}\n")).collect()
}
