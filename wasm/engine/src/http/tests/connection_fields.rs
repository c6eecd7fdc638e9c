//! Heads of h2 with the fields of an HTTP/1.1 connection.

use super::faults::flagged_frame;
use super::h2_peer::{begun, CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, STATUS_200};
use super::peer::Client;
use crate::http::failure::FailureKind;
use crate::http::frames::Frames;
use crate::http::stream_number;

const PADDED: u8 = 8;
const PRIORITY: u8 = 32;

/// The names, as they are and in Huffman's code.
const NAMES: [(&str, &[u8]); 5] = [
    ("connection", b"\x21\xea\xa8\xa4\x49\x8f\x57"),
    ("keep-alive", b"\xea\x52\xd6\xb0\xe8\x37\x72\xff"),
    (
        "proxy-connection",
        b"\xae\xc3\xf9\xf4\xb1\x0f\x55\x45\x22\x4c\x7a\xbf",
    ),
    ("upgrade", b"\xb6\xb9\xac\x1c\x85"),
    ("te", b"\x49\x7f"),
];

/// Representations of a literal field with a name of its own: remembered, not, never (RFC 7541 section 6.2).
const LITERALS: [u8; 3] = [0x40, 0, 0x10];

#[derive(Clone, Copy)]
enum Name<'a> {
    Raw(&'a str),
    Coded(&'a [u8]),
}

impl Name<'_> {
    fn write(self) -> Vec<u8> {
        match self {
            Name::Raw(name) => text(name.as_bytes(), 0),
            Name::Coded(name) => text(name, 0x80),
        }
    }
}

/// RFC 7541 section 5.2.
fn text(bytes: &[u8], flag: u8) -> Vec<u8> {
    let mut written = if bytes.len() < 127 {
        vec![flag | u8::try_from(bytes.len()).unwrap()]
    } else {
        let rest = bytes.len() - 127;
        let low = u8::try_from(rest % 128).unwrap();
        vec![flag | 127, low | 128, u8::try_from(rest / 128).unwrap()]
    };
    written.extend(bytes);
    written
}

fn literal(kind: u8, name: Name<'_>, value: &str) -> Vec<u8> {
    [vec![kind], name.write(), text(value.as_bytes(), 0)].concat()
}

fn head(block: &[u8]) -> Vec<u8> {
    flagged_frame((HEADERS, END_HEADERS), 1, block)
}

fn end() -> Vec<u8> {
    flagged_frame((DATA, END_STREAM), 1, b"whole")
}

/// Gives the head's fields.
fn shown(client: &mut Client, request: i32) -> Vec<(String, String)> {
    client.pull(request);
    client.pull(request);
    let outcome = client.outcome(request);
    assert!(outcome.failure.is_none(), "{:?}", outcome.failure);
    assert_eq!(outcome.body, b"whole");
    assert!(outcome.trailers.as_ref().unwrap().is_empty());
    let head = outcome.head.as_ref().unwrap();
    let fields = head.headers.iter();
    fields
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect()
}

/// Checks that this answer shows `x: y` alone, at once and byte by byte.
fn check(answer: &[u8]) {
    for piece in [answer.len(), 1, 7] {
        let (mut client, request) = begun("/", None);
        answer.chunks(piece).for_each(|bytes| client.receive(bytes));
        let fields = shown(&mut client, request);
        assert_eq!(fields, [("x".to_owned(), "y".to_owned())], "{answer:x?}");
        assert!(client.state.ready);
    }
}

#[test]
fn are_left_out_in_every_representation() {
    for (name, coded) in NAMES {
        for kind in LITERALS {
            for name in [Name::Raw(name), Name::Coded(coded)] {
                let field = literal(kind, name, "close");
                let x = literal(0, Name::Raw("x"), "y");
                check(&[head(&[&[STATUS_200], &*field, &x].concat()), end()].concat());
            }
        }
    }
}

#[test]
fn are_left_out_where_the_table_names_them() {
    let field = literal(0x40, Name::Raw("upgrade"), "h2");
    let x = literal(0x40, Name::Raw("x"), "y");
    // In the table: 62 is x, 63 upgrade. Then by both, and upgrade again with another value.
    let again = [&[STATUS_200, 0xbe, 0xbf][..], &[0x0f, 48], &text(b"h3", 0)].concat();
    let hint = [&[0x08, 3][..], b"103", &field, &x].concat();
    check(&[head(&hint), head(&again), end()].concat());
}

#[test]
fn count_in_the_table_as_they_do_for_the_server() {
    let mut block = vec![0x3f, 0xe1, 0x01];
    // A table of 256 bytes has room for this field of 43 bytes and four of 53, and for not two bytes more.
    block.push(STATUS_200);
    block.extend(literal(0x40, Name::Raw("connection"), "c"));
    for at in 0..4 {
        block.extend(literal(0x40, Name::Raw(&format!("x{at}")), &"y".repeat(19)));
    }
    let hint = [&block[..3], &[0x08, 3], b"103", &block[4..]].concat();
    let by_index = |index: u8| [head(&hint), head(&[STATUS_200, index]), end()].concat();
    let (mut client, request) = begun("/", None);
    client.receive(&by_index(0x80 | 66));
    assert_eq!(shown(&mut client, request), []);
    let (mut client, request) = begun("/", None);
    client.receive(&by_index(0x80 | 67));
    let failure = client.outcome(request).failure.clone().unwrap();
    assert_eq!(failure.kind, FailureKind::Protocol);
}

#[test]
fn are_found_behind_padding_and_priority_and_across_frames() {
    let block = [
        vec![STATUS_200],
        literal(0x40, Name::Raw("connection"), "keep-alive"),
        literal(0, Name::Coded(NAMES[3].1), &"h".repeat(200)),
        literal(0, Name::Raw("x"), "y"),
    ]
    .concat();
    let priority = [0, 0, 0, 0, 9];
    let padding = [0; 2];
    for cut in 1..block.len() {
        let (first, rest) = block.split_at(cut);
        let begin = [&[2], &priority[..], first, &padding].concat();
        let answer = [
            flagged_frame((HEADERS, PADDED | PRIORITY), 1, &begin),
            flagged_frame((CONTINUATION, 0), 1, &rest[..rest.len() / 2]),
            flagged_frame((CONTINUATION, END_HEADERS), 1, &rest[rest.len() / 2..]),
            end(),
        ];
        check(&answer.concat());
    }
}

#[test]
fn are_borne_in_informational_heads_and_trailers() {
    let upgrade = literal(0, Name::Raw("upgrade"), "h2");
    let early = head(&[&[0x08, 3][..], b"103", &upgrade].concat());
    let x = literal(0, Name::Raw("x"), "y");
    let last = flagged_frame((DATA, 0), 1, b"whole");
    let trailers = flagged_frame((HEADERS, END_HEADERS | END_STREAM), 1, &upgrade);
    check(&[early, head(&[&[STATUS_200], &*x].concat()), last, trailers].concat());
}

#[test]
fn are_refused_under_names_that_browsers_refuse() {
    for name in ["Connection", "UPGRADE", "transfer-encoding"] {
        for kind in LITERALS {
            let (mut client, request) = begun("/", None);
            let field = literal(kind, Name::Raw(name), "chunked");
            client.receive(&head(&[&[STATUS_200], &*field].concat()));
            let failure = client.outcome(request).failure.clone().unwrap();
            assert_eq!(failure.kind, FailureKind::Protocol, "{name}");
        }
    }
}

#[test]
fn leave_alike_names_and_values_as_they_are() {
    let fields = [
        ("connections", "connection"),
        ("connectio", "upgrade"),
        ("x-upgrade", "te"),
        ("tc", "shown where nothing is renamed"),
    ];
    let literals = fields.map(|(name, value)| literal(0, Name::Raw(name), value));
    let (mut client, request) = begun("/", None);
    client.receive(&[head(&[vec![STATUS_200], literals.concat()].concat()), end()].concat());
    let shown = shown(&mut client, request);
    assert_eq!(shown.len(), fields.len(), "{shown:?}");
}

/// Numbers that are the same in each run.
struct Random(u32);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) as usize % limit
    }
}

/// What becomes of [`NAMES`], and the last byte of that in Huffman's code.
const RENAMED: [(&str, u8); 5] = [
    ("connectio_", 0x17),
    ("keep-alivc", 0x7f),
    ("proxy-connectiol", 0x3f),
    ("upgrad0", 0x80),
    ("tc", 0x3f),
];

/// A field as it is sent, and what becomes of it.
fn any_field(random: &mut Random) -> [Vec<u8>; 2] {
    let value = "v".repeat(random.below(300));
    let at = random.below(NAMES.len());
    let ((name, coded), (renamed, last)) = (NAMES[at], RENAMED[at]);
    let both = |field: Vec<u8>| [field.clone(), field];
    match random.below(6) {
        0 => both(vec![0x80 | u8::try_from(random.below(127)).unwrap()]),
        1 => both(vec![0xff, 0x9a, 0x0a]),
        2 => both([&[0x0f, 0x2a], &*text(value.as_bytes(), 0)].concat()),
        3 => both(literal(0x40, Name::Raw("connectiom"), &value)),
        4 => [name, renamed].map(|name| literal(0x10, Name::Raw(name), &value)),
        _ => {
            let changed = [&coded[..coded.len() - 1], &[last]].concat();
            [coded, &changed].map(|name| literal(0x40, Name::Coded(name), &value))
        }
    }
}

/// A connection's bytes, and what becomes of them.
fn connection(random: &mut Random) -> [Vec<u8>; 2] {
    // The first head gets the stream's number, in a further frame.
    let mut bytes = [
        flagged_frame((HEADERS, END_HEADERS), 1, &[STATUS_200]),
        [
            flagged_frame((HEADERS, 0), 1, &[STATUS_200]),
            flagged_frame((CONTINUATION, END_HEADERS), 1, &stream_number::field(1)),
        ]
        .concat(),
    ];
    for _ in 0..20 {
        let mut blocks = [Vec::new(), Vec::new()];
        for _ in 0..random.below(12) {
            let field = any_field(random);
            blocks
                .iter_mut()
                .zip(field)
                .for_each(|(it, field)| it.extend(field));
        }
        let cut = random.below(blocks[0].len() + 1);
        let body = literal(0x40, Name::Raw("te"), &"v".repeat(random.below(50)));
        for (bytes, block) in bytes.iter_mut().zip(blocks) {
            let (first, rest) = block.split_at(cut);
            let padded = [&[3], first, &[0; 3]].concat();
            bytes.extend(flagged_frame((HEADERS, PADDED), 1, &padded));
            bytes.extend(flagged_frame((CONTINUATION, END_HEADERS), 1, rest));
            bytes.extend(flagged_frame((DATA, 0), 1, &body));
        }
    }
    bytes
}

fn pass(frames: &mut Frames, bytes: &[u8]) -> Vec<u8> {
    frames.pass(bytes.to_vec().into()).concat()
}

#[test]
fn are_renamed_alike_in_pieces_of_every_size() {
    let mut random = Random(7);
    for _ in 0..200 {
        let [sent, expected] = connection(&mut random);
        for most in [usize::MAX, 1, 2, 9, 100] {
            let mut renamer = Frames::default();
            let pieces = sent.chunks(most.min(sent.len()));
            let passed: Vec<_> = pieces.flat_map(|it| pass(&mut renamer, it)).collect();
            assert_eq!(passed, expected, "in pieces of {most}");
        }
    }
}

#[test]
fn are_looked_for_in_any_bytes() {
    let mut random = Random(11);
    for _ in 0..2000 {
        let count = random.below(400);
        let mut bytes: Vec<_> = (0..count)
            .map(|_| u8::try_from(random.below(256)).unwrap())
            .collect();
        // A head that is as long as the rest.
        bytes.splice(..0, [0, 1, 0, HEADERS, 0, 0, 0, 0, 1]);
        let whole = pass(&mut Frames::default(), &bytes);
        let mut renamer = Frames::default();
        let passed: Vec<_> = bytes
            .chunks(1)
            .flat_map(|it| pass(&mut renamer, it))
            .collect();
        assert_eq!(passed, whole);
    }
}
