//! Who owns the terminal: enters it, leaves it as it was found on every way out, and writes frames whole.
//!
//! The order on entering is raw mode, alternate screen, mouse; on leaving the reverse. [`leave`] may be called from anywhere, any
//! number of times: from the end of the screen, from the panic hook, before the process is stopped.
#![forbid(unsafe_code)]

use super::capture::Capture;
use super::tty::Tty;
use crossterm::clipboard::CopyToClipboard;
use crossterm::cursor::Show;
use crossterm::event::{DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture};
use crossterm::queue;
use crossterm::terminal::{
    self, BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::io::{self, IsTerminal, Write};
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

/// Whether the terminal is in our hands.
static HELD: AtomicBool = AtomicBool::new(false);
/// The thread that draws: only its panics end the screen.
static OWNER: Mutex<Option<ThreadId>> = Mutex::new(None);
/// What panics of other threads said while the screen was up.
static KEPT: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// How long a terminal that takes no bytes is waited for on the way out.
const PATIENCE: Duration = Duration::from_millis(500);

/// The bytes of the frame being made.
#[derive(Clone, Default)]
struct Frame(Arc<Mutex<Vec<u8>>>);

impl Frame {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Frame {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The terminal, held until dropped.
pub struct Screen {
    terminal: Terminal<CrosstermBackend<Frame>>,
    frame: Frame,
    tty: &'static Tty,
    mouse: bool,
}

impl Screen {
    /// Takes the terminal.
    pub fn enter(mouse: bool) -> io::Result<Self> {
        // Where the terminal is known already, standard output may be held.
        if Tty::existing().is_none() {
            available()?;
        }
        install_hook();
        *OWNER.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread::current().id());
        let tty = Tty::get()?;
        enter(tty, mouse)?;
        let frame = Frame::default();
        let terminal = Terminal::new(CrosstermBackend::new(frame.clone())).inspect_err(|_| leave())?;
        Ok(Self { terminal, frame, tty, mouse })
    }

    /// Where the frames go.
    pub fn tty(&self) -> &'static Tty {
        self.tty
    }

    /// Columns and rows.
    pub fn size(&self) -> io::Result<(u16, u16)> {
        terminal::size()
    }

    /// Draws one frame, which the terminal shows at once, and hands it to the terminal without waiting. Returns its bytes.
    pub fn draw(&mut self, draw: impl FnOnce(&mut Buffer)) -> io::Result<usize> {
        queue!(self.frame, BeginSynchronizedUpdate)?;
        self.terminal.draw(|frame| draw(frame.buffer_mut()))?;
        queue!(self.frame, EndSynchronizedUpdate)?;
        let bytes = self.frame.take();
        let count = bytes.len();
        self.tty.write(bytes);
        Ok(count)
    }

    /// Forgets what is on the screen, so that the next frame draws everything.
    pub fn clear(&mut self) -> io::Result<()> {
        // Not `Terminal::clear`: that asks the terminal for the cursor, and the thread that reads input would get the answer.
        let size = self.terminal.size()?;
        self.terminal.resize(Rect { x: 0, y: 0, width: size.width, height: size.height })
    }

    /// Puts `text` on the clipboard of whoever looks at the terminal, by OSC 52: also through SSH, where the terminal allows it.
    pub fn copy(&mut self, text: &str) -> io::Result<()> {
        queue!(self.frame, CopyToClipboard::to_clipboard_from(text))?;
        self.tty.write(self.frame.take());
        Ok(())
    }

    /// Takes the terminal again after [`leave`], or after the process was stopped without a word.
    pub fn resume(&mut self) -> io::Result<()> {
        leave();
        enter(self.tty, self.mouse)?;
        self.clear()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        leave();
        *OWNER.lock().unwrap_or_else(PoisonError::into_inner) = None;
        for said in KEPT.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            // Nobody is left to tell when standard error is gone too.
            let _ = writeln!(io::stderr(), "{said}");
        }
    }
}

/// Whether there is a terminal to draw on.
///
/// # Errors
/// When standard output is none.
pub fn available() -> io::Result<()> {
    if io::stdout().is_terminal() {
        return Ok(());
    }
    let hint = "standard output is not a terminal; --batch prints records instead of drawing a screen";
    Err(io::Error::new(io::ErrorKind::Unsupported, hint))
}

fn enter(tty: &Tty, mouse: bool) -> io::Result<()> {
    HELD.store(true, Ordering::SeqCst);
    let enter = || {
        terminal::enable_raw_mode()?;
        let mut bytes = Vec::new();
        // Bracketed, so that what is pasted by mistake is not taken for keys.
        queue!(bytes, EnterAlternateScreen, EnableBracketedPaste)?;
        if mouse {
            queue!(bytes, EnableMouseCapture)?;
        }
        tty.write(bytes);
        Capture::hold()
    };
    enter().inspect_err(|_| leave())
}

/// Gives the terminal back as it was found. Failures are passed over: there is nobody left to tell. A terminal that takes no bytes is
/// waited for a moment only.
pub fn leave() {
    if !HELD.swap(false, Ordering::SeqCst) {
        return;
    }
    Capture::release();
    if let Some(tty) = Tty::existing() {
        let mut bytes = Vec::new();
        let _ = queue!(
            bytes,
            EndSynchronizedUpdate,
            DisableMouseCapture,
            DisableBracketedPaste,
            LeaveAlternateScreen,
            Show
        );
        tty.write(bytes);
        tty.wait(PATIENCE);
    }
    let _ = terminal::disable_raw_mode();
}

/// A panic of the drawing thread gives the terminal back before its message is printed; what other threads' panics say while the
/// screen is up is kept until it is down.
fn install_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let owner = OWNER.try_lock().map(|owner| *owner).unwrap_or(None);
            if HELD.load(Ordering::SeqCst) && owner.is_some() && owner != Some(thread::current().id()) {
                KEPT.lock().unwrap_or_else(PoisonError::into_inner).push(info.to_string());
                return;
            }
            leave();
            before(info);
        }));
    });
}
