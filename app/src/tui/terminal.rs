//! Who owns the terminal: enters it, leaves it as it was found on every way out, and writes frames whole.
//!
//! The order on entering is raw mode, alternate screen, mouse; on leaving the reverse. [`leave`] may be called from anywhere, any
//! number of times: from the end of the screen, from the panic hook, before the process is stopped.
#![forbid(unsafe_code)]

use crossterm::cursor::Show;
use crossterm::event::{DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture};
use crossterm::terminal::{
    self, BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
};
use crossterm::{execute, queue};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::io::{self, BufWriter, IsTerminal, Stdout, Write};
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once, PoisonError};
use std::thread::{self, ThreadId};

/// Whether the terminal is in our hands.
static HELD: AtomicBool = AtomicBool::new(false);
/// The thread that draws: only its panics end the screen.
static OWNER: Mutex<Option<ThreadId>> = Mutex::new(None);
/// What panics of other threads said while the screen was up.
static KEPT: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// The terminal, held until dropped.
pub struct Screen {
    terminal: Terminal<CrosstermBackend<BufWriter<Stdout>>>,
    mouse: bool,
}

impl Screen {
    /// Takes the terminal.
    pub fn enter(mouse: bool) -> io::Result<Self> {
        available()?;
        install_hook();
        *OWNER.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread::current().id());
        enter(mouse)?;
        let backend = CrosstermBackend::new(BufWriter::with_capacity(1 << 16, io::stdout()));
        let terminal = Terminal::new(backend).inspect_err(|_| leave())?;
        Ok(Self { terminal, mouse })
    }

    /// Columns and rows.
    pub fn size(&self) -> io::Result<(u16, u16)> {
        terminal::size()
    }

    /// Draws one frame, which the terminal shows at once.
    pub fn draw(&mut self, draw: impl FnOnce(&mut Buffer)) -> io::Result<()> {
        queue!(self.terminal.backend_mut(), BeginSynchronizedUpdate)?;
        let drawn = self.terminal.draw(|frame| draw(frame.buffer_mut())).map(drop);
        queue!(self.terminal.backend_mut(), EndSynchronizedUpdate)?;
        self.terminal.backend_mut().flush()?;
        drawn
    }

    /// Forgets what is on the screen, so that the next frame draws everything.
    pub fn clear(&mut self) -> io::Result<()> {
        // Not `Terminal::clear`: that asks the terminal for the cursor, and the thread that reads input would get the answer.
        let size = self.terminal.size()?;
        self.terminal.resize(Rect { x: 0, y: 0, width: size.width, height: size.height })
    }

    /// Takes the terminal again after [`leave`], or after the process was stopped without a word.
    pub fn resume(&mut self) -> io::Result<()> {
        leave();
        enter(self.mouse)?;
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

fn enter(mouse: bool) -> io::Result<()> {
    HELD.store(true, Ordering::SeqCst);
    let enter = || {
        terminal::enable_raw_mode()?;
        // Bracketed, so that what is pasted by mistake is not taken for keys.
        execute!(io::stdout(), EnterAlternateScreen, EnableBracketedPaste)?;
        if mouse { execute!(io::stdout(), EnableMouseCapture) } else { Ok(()) }
    };
    enter().inspect_err(|_| leave())
}

/// Gives the terminal back as it was found. Failures are passed over: there is nobody left to tell.
pub fn leave() {
    if HELD.swap(false, Ordering::SeqCst) {
        let mut out = io::stdout();
        let _ = execute!(
            out,
            EndSynchronizedUpdate,
            DisableMouseCapture,
            DisableBracketedPaste,
            LeaveAlternateScreen,
            Show
        );
        let _ = terminal::disable_raw_mode();
        let _ = out.flush();
    }
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
