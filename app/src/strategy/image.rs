//! What kind of file a path holds, read from its first bytes before the loader sees it: the loader's own messages for a
//! text file or another machine's library help nobody, and a cut-off file can bring the process down.
//!
//! Knows the headers of ELF and Mach-O as far as needed; never executes anything.
#![forbid(unsafe_code)]

use super::refusal::Refusal;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

const ELF_HEADER: usize = 64;
const ELF_SEGMENT: usize = 56;
const ELF_DYNAMIC: u16 = 3;
const SEGMENT_LOAD: u32 = 1;

/// The machine this host was built for, as ELF numbers it, and its name.
#[cfg(target_arch = "x86_64")]
const MACHINE: (u16, &str) = (62, "x86-64");
#[cfg(target_arch = "aarch64")]
const MACHINE: (u16, &str) = (183, "AArch64");
#[cfg(target_arch = "riscv64")]
const MACHINE: (u16, &str) = (243, "RISC-V");
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")))]
const MACHINE: (u16, &str) = (0, "this machine");

/// Checks that `path` is a whole dynamic library of this platform.
///
/// # Errors
/// Says what the file is instead.
pub fn check(path: &Path) -> Result<(), Refusal> {
    let unreadable = |error: std::io::Error| Refusal::Unreadable(error.to_string());
    // Before it is opened: opening a pipe waits for whoever writes to it.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(Refusal::NotALibrary("it is no regular file".into()));
    }
    let mut file = File::open(path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    let mut head = Vec::with_capacity(ELF_HEADER);
    file.by_ref().take(ELF_HEADER as u64).read_to_end(&mut head).map_err(unreadable)?;
    match head.as_slice() {
        [] => Err(Refusal::NotALibrary("the file is empty".into())),
        [0x7f, b'E', b'L', b'F', ..] => elf(&mut file, &head, length),
        [0xcf, 0xfa, 0xed, 0xfe, ..] => mach_o(&head),
        [0xca, 0xfe, 0xba, 0xbe, ..] if cfg!(target_os = "macos") => Ok(()),
        [b'M', b'Z', ..] => Err(Refusal::OtherPlatform("it is a Windows file".into())),
        _ => Err(Refusal::NotALibrary(describe(&head))),
    }
}

fn elf(file: &mut File, head: &[u8], length: u64) -> Result<(), Refusal> {
    if cfg!(target_os = "macos") {
        return Err(Refusal::OtherPlatform("it is an ELF file, and this is macOS".into()));
    }
    let cut = |needed: u64| Refusal::Truncated { length, needed };
    if head.len() < ELF_HEADER {
        return Err(cut(ELF_HEADER as u64));
    }
    if head[4] != 2 {
        return Err(Refusal::OtherPlatform("it is a 32-bit file; guesswork plugins are 64-bit".into()));
    }
    if head[5] != 1 {
        return Err(Refusal::OtherPlatform("it is a big-endian file; guesswork plugins are little-endian".into()));
    }
    let machine = half(head, 18);
    if machine != MACHINE.0 {
        let found = match machine {
            3 => "x86".to_owned(),
            40 => "ARM".to_owned(),
            62 => "x86-64".to_owned(),
            183 => "AArch64".to_owned(),
            243 => "RISC-V".to_owned(),
            other => format!("ELF machine {other}"),
        };
        return Err(Refusal::OtherPlatform(format!("it is built for {found}, and this is {}", MACHINE.1)));
    }
    if half(head, 16) != ELF_DYNAMIC {
        return Err(Refusal::NotALibrary(
            "it is an ELF file, but no shared object (an object file or program?)".into(),
        ));
    }
    let (table, size, count) = (long(head, 32), u64::from(half(head, 54)), u64::from(half(head, 56)));
    let end = table.saturating_add(size.saturating_mul(count));
    if end > length || size < ELF_SEGMENT as u64 {
        return Err(cut(end));
    }
    // The section headers come last: the loader does not need them, but where they are gone the file was cut.
    let sections = long(head, 40).saturating_add(u64::from(half(head, 58)) * u64::from(half(head, 60)));
    if sections > length {
        return Err(cut(sections));
    }
    for index in 0..count {
        let mut segment = [0; ELF_SEGMENT];
        let read = file.seek(SeekFrom::Start(table + index * size)).and_then(|_| file.read_exact(&mut segment));
        read.map_err(|_| cut(end))?;
        let end = long(&segment, 8).saturating_add(long(&segment, 32));
        if word(&segment, 0) == SEGMENT_LOAD && end > length {
            return Err(cut(end));
        }
    }
    Ok(())
}

fn mach_o(head: &[u8]) -> Result<(), Refusal> {
    if !cfg!(target_os = "macos") {
        return Err(Refusal::OtherPlatform("it is a macOS file".into()));
    }
    if head.len() < 32 {
        return Err(Refusal::Truncated { length: head.len() as u64, needed: 32 });
    }
    let expected = if cfg!(target_arch = "aarch64") { 0x0100_000c } else { 0x0100_0007 };
    if word(head, 4) != expected {
        return Err(Refusal::OtherPlatform(format!("it is built for another processor than {}", MACHINE.1)));
    }
    if !matches!(word(head, 12), 6 | 8) {
        return Err(Refusal::NotALibrary("it is a Mach-O file, but no dynamic library or bundle".into()));
    }
    Ok(())
}

/// What a person sees in the first bytes of something that is no library.
fn describe(head: &[u8]) -> String {
    let printable = |byte: &u8| (0x20..0x7f).contains(byte) || matches!(byte, b'\n' | b'\r' | b'\t');
    if head.iter().all(printable) {
        let text: String = String::from_utf8_lossy(head).lines().next().unwrap_or("").chars().take(24).collect();
        format!("it is a text file that begins with `{text}`")
    } else {
        let bytes: Vec<String> = head.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        format!("it begins with the bytes {}, not those of a dynamic library", bytes.join(" "))
    }
}

fn bytes<const N: usize>(data: &[u8], at: usize) -> [u8; N] {
    let mut out = [0; N];
    if let Some(found) = data.get(at..at + N) {
        out.copy_from_slice(found);
    }
    out
}

fn half(data: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes(data, at))
}

fn word(data: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes(data, at))
}

fn long(data: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes(data, at))
}
