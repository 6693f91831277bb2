//! What a person types after a prompt. A pipe gets no prompt.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};

/// Shows a prompt on standard error, if standard input is a terminal.
pub fn prompt(text: &str) {
    if io::stdin().is_terminal() {
        let mut stderr = io::stderr();
        // Without it, what is typed is read all the same.
        let _ = write!(stderr, "{text}").and_then(|()| stderr.flush());
    }
}

/// A line from standard input, of so many bytes at most, after this prompt.
///
/// # Errors
/// Standard input cannot be read, or is not UTF-8.
pub fn line(prompt_text: &str, max_bytes: u64) -> io::Result<String> {
    prompt(prompt_text);
    let mut line = String::new();
    io::stdin().lock().take(max_bytes).read_line(&mut line)?;
    Ok(line)
}
