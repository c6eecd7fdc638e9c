use crate::http::huffman::Decoder;

fn decoded(code: &[u8]) -> Vec<u8> {
    let (mut decoder, mut text) = (Decoder::default(), Vec::new());
    let mut give = |byte| text.push(byte);
    code.iter().for_each(|byte| decoder.pass(*byte, &mut give));
    text
}

#[test]
fn decodes_the_examples_of_the_rfc() {
    // RFC 7541 appendix C.4 and C.6.
    let cases: [(&[u8], &[u8]); 4] = [
        (
            b"\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff",
            b"www.example.com",
        ),
        (b"\x64\x02", b"302"),
        (b"\x9b\xd9\xab", b"gzip"),
        (
            b"\x94\xe7\x82\x1d\xd7\xf2\xe6\xc7\xb3\x35\xdf\xdf\xcd\x5b\x39\x60\
\xd5\xaf\x27\x08\x7f\x36\x72\xc1\xab\x27\x0f\xb5\x29\x1f\x95\x87\
\x31\x60\x65\xc0\x03\xed\x4e\xe5\xb1\x06\x3d\x50\x07",
            b"foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
        ),
    ];
    for (code, text) in cases {
        assert_eq!(decoded(code), text);
    }
}

#[test]
fn decodes_the_longest_codes_and_no_end() {
    assert_eq!(decoded(b"\xff\xff\xff\xf3"), b"\n");
    assert_eq!(decoded(b"\xff\xff\xff\xfb"), b"\x16");
    // Fewer than eight ones fill up the last byte; thirty are the end of the string, which stands in none.
    assert_eq!(decoded(b"\xff\xff\xff\xff"), b"");
    assert_eq!(decoded(&[0xff; 1000]), b"");
}
