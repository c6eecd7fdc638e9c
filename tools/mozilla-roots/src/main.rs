//! `npm run roots`: writes `src/trust/mozilla-roots.bin`.

use std::io::{stdout, Result, Write};

/// Mozilla trusts this authority for `.tr` alone, which its certificate does not say.
const CONSTRAINED: &[u8] = b"TUBITAK Kamu SM SSL Kok Sertifikasi";

fn main() -> Result<()> {
    let mut out = stdout().lock();
    for certificate in webpki_root_certs::TLS_SERVER_ROOT_CERTS {
        let is_constrained = certificate
            .windows(CONSTRAINED.len())
            .any(|it| it == CONSTRAINED);
        if !is_constrained {
            out.write_all(certificate)?;
        }
    }
    out.flush()
}
