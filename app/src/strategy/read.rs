//! Reading the records and strings that a plugin wrote, without believing them: sizes, strides, counts, null pointers
//! and UTF-8 are checked, and everything is copied before anyone looks at it.
//!
//! A record of a newer plugin is longer than this host knows: the part it knows is read, the rest left alone.
#![allow(unsafe_code)]

use super::refusal::Refusal;
use guesswork_plugin::abi::{gw_entry, gw_error, gw_param_spec, gw_persistent, gw_str, gw_strategy};
use std::mem::MaybeUninit;

/// Longest string that is taken, in bytes.
const LONGEST: u64 = 1 << 16;
/// Longest array that is taken.
pub(super) const MOST: u64 = 4096;

/// A record that begins with its `struct_size`.
///
/// # Safety
/// `#[repr(C)]`, beginning with a `u64` size, and valid when all its bytes are zero.
pub(super) unsafe trait Record: Sized {
    /// Name in messages.
    const NAME: &'static str;
    /// Size in version 1.0 of the interface: the least that any plugin may write.
    const LEAST: u64 = size_of::<Self>() as u64;
}

// SAFETY: integers, floats, pointers and optional functions, beginning with the size; all zero is a valid value.
unsafe impl Record for gw_entry {
    const NAME: &'static str = "gw_entry";
}
// SAFETY: as above.
unsafe impl Record for gw_strategy {
    const NAME: &'static str = "gw_strategy";
}
// SAFETY: as above.
unsafe impl Record for gw_param_spec {
    const NAME: &'static str = "gw_param_spec";
}
// SAFETY: as above.
unsafe impl Record for gw_persistent {
    const NAME: &'static str = "gw_persistent";
}

/// A copy of the record at `pointer`, as far as its writer and this host know it; zeros beyond.
///
/// # Errors
/// A null or misaligned pointer, or a record shorter than version 1.0 has it.
///
/// # Safety
/// `pointer` is null, or leads to a record that is as long as it says.
pub(super) unsafe fn record<T: Record>(pointer: *const T, what: &str) -> Result<T, Refusal> {
    let what = || if what.is_empty() { T::NAME.to_owned() } else { format!("{} of {what}", T::NAME) };
    if pointer.is_null() {
        return Err(Refusal::malformed(what(), "the pointer is null"));
    }
    if !pointer.is_aligned() {
        return Err(Refusal::malformed(what(), "the pointer is not aligned to 8 bytes"));
    }
    // SAFETY: not null, aligned, and every record begins with its size.
    let size = unsafe { pointer.cast::<u64>().read() };
    if size < T::LEAST {
        return Err(Refusal::Short { what: what(), found: size, expected: T::LEAST });
    }
    let covered = size.min(size_of::<T>() as u64) as usize;
    let mut copy = MaybeUninit::<T>::zeroed();
    // SAFETY: the record is `size` bytes long, `covered` of them fit into the copy; all zero is a valid `T`.
    Ok(unsafe {
        std::ptr::copy_nonoverlapping(pointer.cast::<u8>(), copy.as_mut_ptr().cast::<u8>(), covered);
        copy.assume_init()
    })
}

/// Copies of the `count` records from `first` on, `stride` bytes apart.
///
/// # Errors
/// Those of [`record`]; too many of them; a stride that is no multiple of 8 or shorter than version 1.0's record.
///
/// # Safety
/// `first` is null, or leads to such an array.
pub(super) unsafe fn array<T: Record>(first: *const T, count: u64, stride: u64, what: &str) -> Result<Vec<T>, Refusal> {
    let of = || format!("the {} array of {what}", T::NAME);
    if count == 0 {
        return Ok(Vec::new());
    }
    if count > MOST {
        return Err(Refusal::malformed(of(), format!("{count} elements; at most {MOST} are taken")));
    }
    if stride < T::LEAST || !stride.is_multiple_of(8) || stride > LONGEST {
        let problem = format!("a stride of {stride} bytes, expected a multiple of 8 from {} on", T::LEAST);
        return Err(Refusal::malformed(of(), problem));
    }
    (0..count)
        .map(|index| {
            let element = first.cast::<u8>().wrapping_add((index * stride) as usize).cast::<T>();
            let element = if first.is_null() { std::ptr::null() } else { element };
            // SAFETY: inside the array, as the caller promises.
            unsafe { record(element, &format!("{what}, element {index}")) }
        })
        .collect()
}

/// A copy of a string.
///
/// # Errors
/// A null pointer with a length, a length beyond reason, text that is not UTF-8; the message begins with `what`.
///
/// # Safety
/// `text.ptr` is null, or leads to `text.len` readable bytes.
pub(super) unsafe fn string(text: gw_str, what: &str) -> Result<String, Refusal> {
    if text.len == 0 {
        return Ok(String::new());
    }
    if text.ptr.is_null() {
        return Err(Refusal::malformed(what, format!("a null string of length {}", text.len)));
    }
    if text.len > LONGEST {
        return Err(Refusal::malformed(what, format!("a string of {} bytes; at most {LONGEST} are taken", text.len)));
    }
    // SAFETY: not null, and as long as the caller promises.
    let bytes = unsafe { std::slice::from_raw_parts(text.ptr, text.len as usize) };
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(error) => Err(Refusal::malformed(what, format!("not UTF-8 from byte {} on", error.valid_up_to()))),
    }
}

/// The text of a filled record, with what is not UTF-8 replaced.
pub(super) fn error_text(error: &gw_error) -> String {
    let text = error.to_text();
    if text.trim().is_empty() { "the plugin gave no reason".into() } else { text }
}

/// The bits that this host must understand and does not: the unknown ones among the high 32.
pub(super) fn unknown_flags(flags: u64, known: u64) -> u64 {
    flags & !known & 0xffff_ffff_0000_0000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn persistent(size: u64) -> [u64; 8] {
        [size, 0, 0, 3, 5, u64::MAX, u64::MAX, u64::MAX]
    }

    #[test]
    fn longer_records_are_read_as_far_as_known_and_shorter_ones_refused() {
        let least = gw_persistent::LEAST;
        for (size, good) in [(least, true), (least + 24, true), (least - 8, false), (0, false)] {
            let words = persistent(size);
            // SAFETY: the array is longer than any of the sizes.
            let read = unsafe { record(words.as_ptr().cast::<gw_persistent>(), "test") };
            match read {
                Ok(read) => assert!(good && read.rows == 3 && read.columns == 5),
                Err(refusal) => assert!(!good, "{refusal}"),
            }
        }
    }

    #[test]
    fn strides_counts_and_strings_are_not_believed() {
        let words = persistent(gw_persistent::LEAST);
        let first = words.as_ptr().cast::<gw_persistent>();
        // SAFETY: refused before anything is read, or null.
        unsafe {
            assert!(array(first, 1, 4, "x").is_err());
            assert!(array(first, MOST + 1, 64, "x").is_err());
            assert!(array(std::ptr::null::<gw_persistent>(), 2, 64, "x").is_err());
            assert!(string(gw_str { ptr: std::ptr::null(), len: 2 }, "x").is_err());
            assert!(string(gw_str::new("ok"), "x").is_ok_and(|text| text == "ok"));
            let bad = [b'a', 0xff];
            let refusal = string(gw_str { ptr: bad.as_ptr(), len: 2 }, "name").unwrap_err();
            assert_eq!(refusal.to_string(), "name: not UTF-8 from byte 1 on");
        }
    }

    #[test]
    fn only_high_unknown_flags_must_be_understood() {
        assert_eq!(unknown_flags(0b111, 1), 0);
        assert_eq!(unknown_flags(1 << 40 | 1, 1), 1 << 40);
    }
}
