//! The ciphers of password-based encryption that WebCrypto lacks everywhere or somewhere: block ciphers in CBC mode, and RC4
//! (RFC 7292 appendix C, RFC 8018 appendix B.2).

use aes::{Aes128, Aes192, Aes256};
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{BlockCipherDecrypt, BlockModeDecrypt, InnerIvInit, KeyInit};
use cbc::Decryptor;
use des::{Des, TdesEde2, TdesEde3};
use rc2::Rc2;
use rc4::{Rc4, StreamCipher};
use zeroize::Zeroizing;

use crate::wire::{Malformed, Reader};

type Plaintext = Option<Zeroizing<Vec<u8>>>;

/// Input: cipher, effective key bits (u16, of RC2), key, IV, ciphertext. Gives the plaintext without its padding; `None` when key
/// or ciphertext must be wrong.
pub fn decrypt(input: &[u8]) -> Result<Plaintext, Malformed> {
    let mut reader = Reader::new(input);
    let cipher = reader.u8()?;
    let effective_bits = usize::from(reader.u16()?);
    let (key, iv, ciphertext) = (reader.bytes()?, reader.bytes()?, reader.bytes()?);
    reader.finish()?;
    // Numbered as in `src/p12/decryption/engine.ts`.
    match cipher {
        1 => cbc::<TdesEde3>(key, iv, ciphertext),
        2 => cbc::<TdesEde2>(key, iv, ciphertext),
        3 => rc2(key, effective_bits, iv, ciphertext),
        4 => cbc::<Aes192>(key, iv, ciphertext),
        5 => cbc::<Aes128>(key, iv, ciphertext),
        6 => cbc::<Aes256>(key, iv, ciphertext),
        7 => cbc::<Des>(key, iv, ciphertext),
        8 => rc4(key, ciphertext),
        _ => Err(Malformed),
    }
}

fn rc4(key: &[u8], ciphertext: &[u8]) -> Result<Plaintext, Malformed> {
    let mut cipher = Rc4::new_from_slice(key).map_err(|_| Malformed)?;
    let mut plaintext = Zeroizing::new(ciphertext.to_vec());
    cipher.apply_keystream(&mut plaintext);
    Ok(Some(plaintext))
}

fn rc2(
    key: &[u8],
    effective_bits: usize,
    iv: &[u8],
    ciphertext: &[u8],
) -> Result<Plaintext, Malformed> {
    if key.is_empty() || key.len() > 128 || effective_bits == 0 || effective_bits > 1024 {
        return Err(Malformed);
    }
    cbc_with(
        Rc2::new_with_eff_key_len(key, effective_bits),
        iv,
        ciphertext,
    )
}

fn cbc<C: KeyInit + BlockCipherDecrypt>(
    key: &[u8],
    iv: &[u8],
    ciphertext: &[u8],
) -> Result<Plaintext, Malformed> {
    cbc_with(
        C::new_from_slice(key).map_err(|_| Malformed)?,
        iv,
        ciphertext,
    )
}

fn cbc_with<C: BlockCipherDecrypt>(
    cipher: C,
    iv: &[u8],
    ciphertext: &[u8],
) -> Result<Plaintext, Malformed> {
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
