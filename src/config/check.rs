//! Warnings about options: unknown ones with a guess, and those that have no effect where they stand.

use super::guess;
use super::inherit::Settled;
use super::options::{self, Status};
use super::report::Report;
use super::value::shown;
use crate::interfaces::diagnostic::Diagnostic;
use crate::interfaces::syntax::Opt;

/// Looks at every option of a stanza. Unknown options are legal, and commands see them as `IF_*`.
pub(super) fn options(settled: &Settled<'_>, report: &mut Report) {
    for setting in &settled.settings {
        let opt = setting.opt;
        let name = shown(&opt.name.value);
        match setting.def {
            None => unknown(opt, report),
            Some(def) => match def.status {
                Status::Supported if def.methods.meets(settled.method.bit) => {}
                Status::Supported => {
                    let message = format!("`{name}` has no effect with method `{}`", settled.method.name);
                    report.push(Diagnostic::warning(&opt.name.span, message));
                }
                Status::Ignored(why) => {
                    report.push(Diagnostic::warning(&opt.name.span, format!("`{name}` has no effect")).help(why));
                }
                Status::Refused(why) => {
                    report.push(Diagnostic::error(&opt.name.span, format!("`{name}` is not supported")).help(why));
                }
            },
        }
    }
}

fn unknown(opt: &Opt, report: &mut Report) {
    let warning = Diagnostic::warning(&opt.name.span, format!("unknown option `{}`", shown(&opt.name.value)));
    let guess =
        if report.is_full() { None } else { guess::nearest(&opt.name.value, options::names().map(|(name, _)| name)) };
    report.push(match guess {
        Some(guess) => warning.help(guess::did_you_mean(guess)),
        None => warning,
    });
}
