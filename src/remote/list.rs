//! Lists of keys: all of them, those in doubt, those in progress.

use std::sync::Arc;

use crate::backend::{Filter, KeyRef, PageQuery, Row};
use crate::engine::namespaces::NamespaceCore;
use crate::remote::look::{Doubted, doubted};
use crate::remote::receipt::Receipt;
use crate::remote::remote::Remote;
use crate::remote::rows::moment;
use crate::value::error::Result;
use crate::value::key_info::KeyInfo;
use crate::value::key_state::KeyState;
use crate::value::namespace_id::NamespaceId;
use crate::value::record::Record;
use crate::value::scan_position::ScanPosition;
use crate::value::time::Now;

/// Rows of one page.
const PAGE_ROWS: usize = 1000;

/// A doubt in a list: its namespace, and what is known of it.
pub(crate) type ListedDoubt = (Arc<NamespaceCore>, Doubted);

impl Remote {
    /// The next keys in the order of their bytes, and the last key that was looked at; `None` at the end.
    pub(crate) fn page(
        self: &Arc<Self>,
        only: Option<NamespaceId>,
        after: Option<KeyRef>,
    ) -> Receipt<Option<(Vec<KeyInfo>, KeyRef)>> {
        let remote = Arc::clone(self);
        self.send(async move {
            let (rows, now) = remote.rows(only, Filter::All, after).await?;
            let Some((last, _)) = rows.last() else {
                return Ok(None);
            };
            let last = last.clone();
            let mut infos = Vec::with_capacity(rows.len());
            for (key, row) in rows {
                let core = remote.core_of(key.namespace).await?;
                infos.push(remote.info_of(&core, &key, &row, now)?);
            }
            Ok(Some((infos, last)))
        })
    }

    /// All keys in doubt, the oldest first.
    pub(crate) fn doubts(
        self: &Arc<Self>,
        only: Option<NamespaceId>,
    ) -> Receipt<Vec<(ScanPosition, ListedDoubt)>> {
        let remote = Arc::clone(self);
        self.send(async move {
            let tell = |core: &Arc<NamespaceCore>, key: &KeyRef, row: &Row, now| {
                let doubt = doubted(core, key, row, now)?;
                Ok(doubt.map(|doubt| (rank_of(&doubt.0), (Arc::clone(core), doubt))))
            };
            remote.unsettled(only, tell).await
        })
    }

    /// All keys in progress, the oldest first.
    pub(crate) fn running(
        self: &Arc<Self>,
        only: Option<NamespaceId>,
    ) -> Receipt<Vec<(ScanPosition, KeyInfo)>> {
        let remote = Arc::clone(self);
        self.send(async move {
            let tell = |core: &Arc<NamespaceCore>, key: &KeyRef, row: &Row, now| {
                let info = remote.info_of(core, key, row, now)?;
                let runs = info.state == KeyState::InProgress;
                Ok(runs.then(|| (rank_of(&info.record), info)))
            };
            remote.unsettled(only, tell).await
        })
    }

    /// What is told of all rows in progress or in doubt, by rank.
    async fn unsettled<T>(
        &self,
        only: Option<NamespaceId>,
        tell: impl Fn(&Arc<NamespaceCore>, &KeyRef, &Row, Now) -> Result<Option<(ScanPosition, T)>>,
    ) -> Result<Vec<(ScanPosition, T)>> {
        let mut listed = Vec::new();
        let mut after = None;
        loop {
            let (rows, now) = self.rows(only, Filter::Unsettled, after).await?;
            let Some((last, _)) = rows.last() else { break };
            after = Some(last.clone());
            for (key, row) in rows {
                let core = self.core_of(key.namespace).await?;
                listed.extend(tell(&core, &key, &row, now)?);
            }
        }
        listed.sort_by_key(|(rank, _)| *rank);
        Ok(listed)
    }

    async fn rows(
        &self,
        only: Option<NamespaceId>,
        filter: Filter,
        after: Option<KeyRef>,
    ) -> Result<(Vec<(KeyRef, Row)>, Now)> {
        let query = PageQuery {
            namespace: only.map(|id| id.0),
            filter,
            after,
            limit: PAGE_ROWS,
        };
        let answered = self.backend.page(query).await?;
        Ok((answered.found, moment(answered.now_ms)))
    }
}

/// By how long a key is what it is, and then by its token.
fn rank_of(record: &Record) -> ScanPosition {
    ScanPosition::of_second(u64::from(record.head.recorded_at), record.head.token)
}
