//! The block ciphers of password-based encryption that WebCrypto lacks everywhere or somewhere, in CBC mode (RFC 7292 appendix C,
//! RFC 8018 appendix B.2).

use aes::Aes192;
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{BlockCipherDecrypt, BlockModeDecrypt, InnerIvInit, KeyInit};
use cbc::Decryptor;
use des::{TdesEde2, TdesEde3};
use rc2::Rc2;
use zeroize::Zeroizing;

use crate::wire::{Malformed, Reader};

/// Input: cipher, key, IV, ciphertext. Gives the plaintext without its padding; `None` when key or ciphertext must be wrong.
pub fn decrypt(input: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, Malformed> {
    let mut reader = Reader::new(input);
    let cipher = reader.u8()?;
    let (key, iv, ciphertext) = (reader.bytes()?, reader.bytes()?, reader.bytes()?);
    reader.finish()?;
    // Numbered as in `src/p12/engine.ts`.
    match cipher {
        1 => cbc::<TdesEde3>(key, iv, ciphertext),
        2 => cbc::<TdesEde2>(key, iv, ciphertext),
        3 => cbc::<Rc2>(key, iv, ciphertext),
        4 => cbc::<Aes192>(key, iv, ciphertext),
        _ => Err(Malformed),
    }
}

fn cbc<C: KeyInit + BlockCipherDecrypt>(
    key: &[u8],
    iv: &[u8],
    ciphertext: &[u8],
) -> Result<Option<Zeroizing<Vec<u8>>>, Malformed> {
    let cipher = C::new_from_slice(key).map_err(|_| Malformed)?;
    let decryptor = Decryptor::inner_iv_slice_init(cipher, iv).map_err(|_| Malformed)?;
    let mut plaintext = Zeroizing::new(ciphertext.to_vec());
    if decryptor
        .decrypt_padded::<NoPadding>(&mut plaintext)
        .is_err()
    {
        return Ok(None);
    }
    let kept = unpadded_len(&plaintext, iv.len());
    Ok(kept.map(|len| {
        plaintext.truncate(len);
        plaintext
    }))
}

/// The length without PKCS#7 padding. Looks at the whole last block whatever is in it.
fn unpadded_len(plaintext: &[u8], block: usize) -> Option<usize> {
    let count = usize::from(*plaintext.last()?);
    let tail = plaintext.len().checked_sub(block)?;
    let last = plaintext.get(tail..)?;
    let mut wrong = u8::from(count == 0) | u8::from(count > block);
    for (distance, octet) in last.iter().rev().enumerate() {
        let inside = u8::from(distance < count);
        wrong |= inside * (octet ^ (count as u8));
    }
    if wrong == 0 {
        plaintext.len().checked_sub(count)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_the_padding() {
        assert_eq!(unpadded_len(&[9, 9, 9, 9, 9, 9, 2, 2], 8), Some(6));
        assert_eq!(unpadded_len(&[8; 8], 8), Some(0));
        assert_eq!(unpadded_len(&[9, 9, 9, 9, 9, 9, 1, 2], 8), None);
        assert_eq!(unpadded_len(&[9, 9, 9, 9, 9, 9, 9, 0], 8), None);
        assert_eq!(unpadded_len(&[9; 8], 8), None);
        assert_eq!(unpadded_len(&[1], 8), None);
        assert_eq!(unpadded_len(&[], 8), None);
    }
}
