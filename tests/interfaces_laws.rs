//! Laws of the interfaces(5) language that hold for every text: reading never panics, and what is printed is read as
//! the same stanzas again.

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use std::sync::Arc;
use systemd_netns::interfaces::diagnostic::{Source, Span, Word};
use systemd_netns::interfaces::syntax::{Allow, Iface, LinkNetns, Mapping, Opt, Stanza};
use systemd_netns::interfaces::{Listing, parse_text};

fn nowhere() -> Span {
    Span { source: Source::new("", ""), line: 0, start: 0, len: 0 }
}

fn word(text: impl Into<String>) -> Word {
    Word { value: text.into(), span: nowhere() }
}

fn words(words: &[Word]) -> Vec<Word> {
    words.iter().map(|w| word(&w.value)).collect()
}

/// The same stanza without places.
fn placeless(stanza: &Stanza) -> Stanza {
    let some = |w: &Option<Word>| w.as_ref().map(|w| word(&w.value));
    match stanza {
        Stanza::Allow(Allow { class, names }) => Stanza::Allow(Allow { class: class.clone(), names: words(names) }),
        Stanza::NoAutoDown(names) => Stanza::NoAutoDown(words(names)),
        Stanza::NoScripts(names) => Stanza::NoScripts(words(names)),
        Stanza::Rename(names) => Stanza::Rename(words(names)),
        Stanza::LinkNetns(LinkNetns { netns, link, peer }) => {
            let [netns, link, peer] = [netns, link, peer].map(|w| word(&w.value));
            Stanza::LinkNetns(LinkNetns { netns, link, peer })
        }
        Stanza::Mapping(mapping) => Stanza::Mapping(Mapping {
            keyword: nowhere(),
            patterns: words(&mapping.patterns),
            script: some(&mapping.script),
            maps: words(&mapping.maps),
        }),
        Stanza::Iface(iface) => Stanza::Iface(Iface {
            keyword: nowhere(),
            template: iface.template,
            name: word(&iface.name.value),
            family: some(&iface.family),
            method: some(&iface.method),
            inherits: words(&iface.inherits),
            options: iface
                .options
                .iter()
                .map(|o| Opt { name: word(&o.name.value), value: word(&o.value.value) })
                .collect(),
        }),
    }
}

fn read(text: &str) -> Vec<Stanza> {
    parse_text(&Source::new("f", text)).stanzas.iter().map(placeless).collect()
}

/// Every place lies in the text; at a word's place the text is the word, as far as the line goes.
fn check_place(source: &Arc<Source>, w: &Word) {
    let line = source.line(w.span.line);
    let there = line.get(w.span.start as usize..(w.span.start + w.span.len) as usize);
    assert!(there.is_some_and(|there| w.value.starts_with(there)), "{:?} is not {there:?} at {:?}", w.value, w.span);
    assert!(w.value.is_empty() || w.span.len > 0);
}

const KEYWORDS: &str =
    "(iface|template|auto|allow-[a-z]{0,2}|mapping|script|map|inherits|rename|source|no-scripts|link-netns)";

/// A word of any kind.
fn any_word() -> impl Strategy<Value = String> {
    prop_oneof![2 => KEYWORDS, 1 => "inet6?|static|up", 3 => "[a-c#\\\\é'\"$/*=-]{1,4}", 1 => "\\PC{1,5}"]
}

/// Lines of words, with every kind of white space, and ends that continue them or do not.
fn any_text() -> impl Strategy<Value = String> {
    let gap = prop_oneof![5 => Just(" "), 1 => Just("\t\x0b"), 1 => Just("\\\n"), 1 => Just(" \\\n  ")];
    let end =
        prop_oneof![6 => Just("\n"), 1 => Just("\r\n"), 1 => Just("\\\n"), 1 => Just(" \\ \n"), 1 => Just("\\\r\n")];
    let line = (proptest::collection::vec((any_word(), gap), 0..6), end);
    proptest::collection::vec(line, 0..12).prop_map(|lines| {
        let line = |(words, end): (Vec<(String, &str)>, &str)| {
            words.into_iter().map(|(word, gap)| word + gap).collect::<String>() + end
        };
        lines.into_iter().map(line).collect()
    })
}

fn name() -> impl Strategy<Value = Word> {
    "[a-z0-9:./*=#\\\\é-]{1,6}".prop_map(word)
}

/// A word that is neither keyword nor comment where it stands.
fn plain() -> impl Strategy<Value = Word> {
    "x[a-z0-9#\\\\é-]{0,5}".prop_map(word)
}

fn value() -> impl Strategy<Value = Word> {
    "[a-z#\\\\\"][a-z0-9 \t#\\\\é]{0,8}[a-z#\\\\]".prop_map(word)
}

fn names() -> impl Strategy<Value = Vec<Word>> {
    proptest::collection::vec(name(), 1..4)
}

fn iface() -> impl Strategy<Value = Iface> {
    let head =
        prop_oneof![Just((None, None)), (plain(), plain()).prop_map(|(family, method)| (Some(family), Some(method))),];
    let option_name = prop_oneof![plain(), "[#]x?".prop_map(word)];
    let option = (option_name, value()).prop_map(|(name, value)| Opt { name, value });
    let (inherits, options) = (proptest::collection::vec(plain(), 0..3), proptest::collection::vec(option, 0..5));
    (any::<bool>(), name(), head, inherits, options).prop_map(
        |(template, name, (family, method), inherits, options)| {
            let keyword = nowhere();
            Iface { keyword, template, name, family, method, inherits, options }
        },
    )
}

fn mapping() -> impl Strategy<Value = Mapping> {
    let maps = proptest::collection::vec(prop_oneof![value(), Just(word(""))], 0..3);
    (names(), proptest::option::of(value()), maps).prop_map(|(patterns, script, maps)| {
        let keyword = nowhere();
        Mapping { keyword, patterns, script, maps }
    })
}

fn stanza() -> impl Strategy<Value = Stanza> {
    prop_oneof![
        ("[a-z#-]{1,6}", names()).prop_map(|(class, names)| Stanza::Allow(Allow { class, names })),
        names().prop_map(Stanza::NoAutoDown),
        names().prop_map(Stanza::NoScripts),
        names().prop_map(Stanza::Rename),
        [name(), name(), name()].prop_map(|[netns, link, peer]| Stanza::LinkNetns(LinkNetns { netns, link, peer })),
        iface().prop_map(Stanza::Iface),
        mapping().prop_map(Stanza::Mapping),
    ]
}

fn config() -> ProptestConfig {
    let regressions = "tests/interfaces_laws.proptest-regressions";
    let failure_persistence = Some(Box::new(FileFailurePersistence::Direct(regressions)) as Box<_>);
    ProptestConfig { cases: 500, failure_persistence, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn printed_stanzas_are_read_as_they_were(stanzas in proptest::collection::vec(stanza(), 0..6)) {
        let text = Listing(&stanzas).to_string();
        prop_assert_eq!(read(&text), stanzas, "{}", text);
    }

    #[test]
    fn what_is_read_from_any_text_survives_printing(text in any_text()) {
        let stanzas = read(&text);
        let printed = Listing(&stanzas).to_string();
        prop_assert_eq!(read(&printed), stanzas, "{}", printed);
    }

    #[test]
    fn diagnostics_of_any_text_can_be_shown(text in any_text()) {
        for diagnostic in parse_text(&Source::new("f", text)).diagnostics {
            let shown = diagnostic.to_string();
            prop_assert!(shown.lines().count() >= 3, "{}", shown);
        }
    }

    #[test]
    fn every_word_of_any_text_is_where_it_says(text in any_text()) {
        let source = Source::new("f", text);
        for stanza in parse_text(&source).stanzas {
            let Stanza::Iface(iface) = stanza else { continue };
            [Some(iface.name), iface.family, iface.method].iter().flatten().for_each(|w| check_place(&source, w));
            for option in iface.options {
                check_place(&source, &option.name);
                check_place(&source, &option.value);
                option.words().for_each(|w| check_place(&source, &w));
            }
        }
    }
}
