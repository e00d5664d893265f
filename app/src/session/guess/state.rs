//! What strategies remember, for checkpoints and probes. The bytes of a mixture's members stand one after the other, each with its
//! length before it; a lane of one strategy keeps that strategy's bytes as they are.
#![forbid(unsafe_code)]

use candle_core::Tensor;

/// The strategy's bytes, and named tensors.
pub(in crate::session) type State = (Vec<u8>, Vec<(String, Tensor)>);

/// The members' bytes as one; nothing where none has any.
pub(super) fn pack(parts: &[Vec<u8>]) -> Vec<u8> {
    if parts.iter().all(Vec::is_empty) {
        return Vec::new();
    }
    parts.iter().flat_map(|part| [&(part.len() as u64).to_le_bytes(), part.as_slice()].concat()).collect()
}

/// What [`pack`] put together of `count` members; `None` where it did not.
pub(super) fn unpack(mut bytes: &[u8], count: usize) -> Option<Vec<&[u8]>> {
    if bytes.is_empty() {
        return Some(vec![bytes; count]);
    }
    let mut parts = Vec::with_capacity(count);
    for _ in 0..count {
        let (length, rest) = bytes.split_first_chunk::<8>()?;
        let (part, rest) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
        parts.push(part);
        bytes = rest;
    }
    bytes.is_empty().then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_apart_again() {
        for parts in [vec![vec![]], vec![vec![], vec![]], vec![vec![1, 2, 3], vec![], vec![255; 300]]] {
            let packed = pack(&parts);
            assert_eq!(unpack(&packed, parts.len()).unwrap(), parts);
        }
        assert!(pack(&[vec![], vec![]]).is_empty());
    }

    #[test]
    fn what_was_not_packed_is_refused_whole() {
        let packed = pack(&[vec![1, 2, 3], vec![4]]);
        for end in 1..packed.len() {
            assert_eq!(unpack(&packed[..end], 2), None, "{end}");
        }
        assert_eq!((unpack(&packed, 1), unpack(&packed, 3)), (None, None));
        let mut long = packed.clone();
        long[7] = 255;
        assert_eq!(unpack(&long, 2), None);
    }
}
