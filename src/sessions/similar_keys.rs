//! Explains a secret key that verifies no row: tries variants of it, such as one without a trailing newline,
//! and names one that works.

use std::ops::ControlFlow;

use django_session::Decoder;

use crate::context::Ctx;
use crate::error::Error;
use crate::model::Page;
use crate::settings;
use crate::store::Filter;

/// Most rows on which variants of the key are tried.
const MOST_ROWS: usize = 1_000;

/// Adds to the error of a wrong key whether a variant of it would be right.
pub(crate) fn explain(ctx: &Ctx<'_>, error: Error) -> Error {
    match error {
        // If the search itself fails, the original error stays.
        Error::WrongKey { checked } => match hint(ctx) {
            Ok(Some(hint)) => Error::NearlyRightKey { checked, hint },
            _ => Error::WrongKey { checked },
        },
        error => error,
    }
}

fn hint(ctx: &Ctx<'_>) -> Result<Option<&'static str>, Error> {
    let variants = settings::key_variants(ctx.global, ctx.project.as_ref(), ctx.codec);
    let mut decoder = Decoder::new(&variants.codec);
    let (mut tried, mut found, mut is_of_django) = (0, None, false);
    ctx.open()?.reader()?.scan(&Filter::default(), &mut |mut page: Page| {
        found = page.rows().take(MOST_ROWS).find_map(|row| {
            let session = row.decode(&mut decoder);
            is_of_django |= session.layout().is_some();
            session.signed_by()
        });
        tried += page.len();
        if found.is_some() || tried >= MOST_ROWS || ctx.stop.requested().is_some() {
            return ControlFlow::Break(());
        }
        page.clear();
        ControlFlow::Continue(page)
    })?;
    Ok(match found {
        Some(key) => variants.hints.get(key).copied(),
        None if tried > 0 && !is_of_django => Some(NO_LAYOUT),
        None => None,
    })
}

/// The explanation for rows that no key can verify.
pub(crate) const NO_LAYOUT: &str = "these rows are in no layout of Django's, so that no key can verify them: is session_data \
    text, as Django makes it, and is this the site's session table?";
