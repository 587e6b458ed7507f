//! [`Statements`]: the text of each call, for one schema.

use crate::wire::answers::COLUMNS;
use crate::wire::columns::SUBMIT_PARAMS;

/// The text of each call. None is prepared by name, because a pooler hands each transaction to another session.
#[derive(Clone, Debug)]
pub(crate) struct Statements {
    pub(crate) submit: String,
    pub(crate) look: String,
    pub(crate) page: String,
    pub(crate) now: String,
    pub(crate) read_manifest: String,
    pub(crate) edit_manifest: String,
    pub(crate) beat: String,
    pub(crate) leave: String,
    pub(crate) sweep: String,
    pub(crate) settle_epoch: String,
    pub(crate) format: String,
}

impl Statements {
    /// For this schema, quoted.
    pub(crate) fn of(schema: &str) -> Self {
        let params: Vec<String> = (1..=SUBMIT_PARAMS).map(|at| format!("${at}")).collect();
        let params = params.join(", ");
        Self {
            submit: format!("SELECT {COLUMNS} FROM {schema}.submit({params}) AS a"),
            look: format!("SELECT {COLUMNS} FROM {schema}.look($1, $2) AS a"),
            page: format!("SELECT {COLUMNS} FROM {schema}.page($1, $2, $3, $4, $5) AS a"),
            now: format!("SELECT {schema}.now_ms()"),
            read_manifest: format!(
                "SELECT revision, manifest FROM {schema}.meta WHERE revision > 0"
            ),
            edit_manifest: format!(
                "SELECT revision, manifest FROM {schema}.edit_manifest($1, $2, $3, $4, $5)"
            ),
            beat: format!("SELECT {schema}.beat($1, $2, $3)"),
            leave: format!("SELECT {schema}.leave($1, $2)"),
            sweep: format!("SELECT removed, wrapped FROM {schema}.sweep($1, $2, $3, $4)"),
            settle_epoch: format!("SELECT {schema}.settle_epoch()"),
            format: format!("SELECT format FROM {schema}.meta"),
        }
    }
}
