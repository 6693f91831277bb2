//! What packages carry beside a program: completions for shells, and manual pages. Both are made from the command line itself.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;

/// What the page of the program says beyond its command line. Each entry is a name and a text.
#[derive(Clone, Copy, Debug)]
pub struct Manual<'a> {
    /// Exit codes.
    pub exit_status: &'a [(&'a str, &'a str)],
    /// Files.
    pub files: &'a [(&'a str, &'a str)],
    /// Environment variables.
    pub environment: &'a [(&'a str, &'a str)],
    /// Examples, line by line.
    pub first_steps: &'a str,
}

impl Manual<'_> {
    /// Writes the page of the program, and one for each of its commands, into a directory. The examples of a command are its
    /// help's after the first line.
    ///
    /// # Errors
    /// The directory cannot be made or written.
    pub fn write(&self, command: Command, directory: &Path) -> io::Result<()> {
        let mut command = command.disable_help_subcommand(true);
        command.build();
        fs::create_dir_all(directory)?;
        let program = command.get_name().to_owned();
        self.write_all(&command, &program, directory)
    }

    fn write_all(&self, command: &Command, program: &str, directory: &Path) -> io::Result<()> {
        for below in command.get_subcommands() {
            self.write_all(below, program, directory)?;
        }
        let man = Man::new(command.clone());
        fs::write(directory.join(man.get_filename()), self.page(command, program, &man)?)
    }

    fn page(&self, command: &Command, program: &str, man: &Man) -> io::Result<Vec<u8>> {
        let mut page = Vec::new();
        man.render_title(&mut page)?;
        man.render_name_section(&mut page)?;
        man.render_synopsis_section(&mut page)?;
        man.render_description_section(&mut page)?;
        man.render_options_section(&mut page)?;
        if command.has_subcommands() {
            man.render_subcommands_section(&mut page)?;
        }
        if command.get_name() == program {
            list("EXIT STATUS", self.exit_status, &mut page)?;
            list("FILES", self.files, &mut page)?;
            list("ENVIRONMENT", self.environment, &mut page)?;
            examples(self.first_steps, &mut page)?;
        } else {
            let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            if let Some((_, lines)) = after.split_once('\n') {
                examples(lines, &mut page)?;
            }
            writeln!(page, ".SH \"SEE ALSO\"\n.BR {} (1)", roff(program))?;
        }
        Ok(page)
    }
}

/// A script that completes this command line in this shell.
pub fn completions(mut command: Command, shell: Shell) -> String {
    let program = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, program, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

fn list(title: &str, entries: &[(&str, &str)], page: &mut Vec<u8>) -> io::Result<()> {
    writeln!(page, ".SH \"{title}\"")?;
    entries.iter().try_for_each(|(name, text)| writeln!(page, ".TP\n\\fB{}\\fR\n{}", roff(name), roff(text)))
}

/// Line by line: without this, a pager would fill them into a paragraph.
fn examples(lines: &str, page: &mut Vec<u8>) -> io::Result<()> {
    writeln!(page, ".SH EXAMPLES\n.nf\n{}\n.fi", roff(lines))
}

/// A `.` or a `'` at the beginning of a line would be a request, and a bare `-` becomes a hyphen that cannot be pasted.
fn roff(text: &str) -> String {
    let escaped = text.replace('\\', "\\e").replace('-', "\\-");
    let line =
        |line: &str| if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line.to_owned() };
    escaped.lines().map(line).collect::<Vec<_>>().join("\n")
}
