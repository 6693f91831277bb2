//! Calls of programs that are carried out once: a program names each with a key of its own, and asks again with it after a lost answer.
//!
//! The row is written before the call is carried out and gets the answer afterwards. A row that has waited long for its answer is of a
//! portal that died meanwhile; the call is carried out again then, because none of them does harm twice.

use std::time::Duration;

use async_trait::async_trait;
use kms_portal_rules::{ApiTokenId, DAY};
use shared::time::Timestamp;

use crate::db::DbError;
use crate::db::sql::Sql;
use crate::db::work::Work;

/// How long a call may take. The largest changes some thousand people.
const CARRIED_OUT_FOR: Duration = Duration::from_mins(5);

/// How many calls of a token are kept, and how many bytes of answers.
const CALLS_MAX: u64 = 10_000;
const ANSWERS_MAX_BYTES: u64 = 64 << 20;

/// By what a call is known again.
#[derive(Clone, Debug)]
pub struct CallKey {
    /// Whose call it is.
    pub token: ApiTokenId,
    /// What the program calls it.
    pub key: String,
    /// SHA-256 of the request.
    pub request: [u8; 32],
}

/// An answer that was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenAnswer {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: Vec<u8>,
}

/// What a call with a key is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallStart {
    /// A new one. Carry it out.
    Fresh,
    /// It was carried out, and this was answered.
    Answered(GivenAnswer),
    /// It is being carried out.
    UnderWay,
    /// The key was given to another request.
    OtherRequest,
    /// The token has made as many calls with a key as are kept for a day.
    TooMany,
}

/// Begins a call.
pub(in crate::db) struct StartCall {
    pub(in crate::db) call: CallKey,
    pub(in crate::db) now: Timestamp,
}

#[async_trait]
impl Work for StartCall {
    type Done = CallStart;

    async fn run(&self, sql: &mut dyn Sql) -> Result<CallStart, DbError> {
        let CallKey { token, key, request } = &self.call;
        let old = [token.as_bytes().into(), (self.now - DAY).into()];
        sql.run("DELETE FROM api_calls WHERE token = $1 AND started_at <= $2", &old).await?;
        let values = [token.as_bytes().into(), key.as_str().into(), request.into(), self.now.into()];
        let find = "SELECT * FROM api_calls WHERE token = $1 AND call_key = $2";
        let Some(row) = sql.locked(find, &values[..2]).await?.pop() else {
            let kept = "SELECT COUNT(*) AS calls, CAST(COALESCE(SUM(LENGTH(answer)), 0) AS BIGINT) AS answers \
                        FROM api_calls WHERE token = $1";
            let kept = sql.row(kept, &values[..1]).await?.ok_or_else(|| DbError::damaged("api_calls"))?;
            if CALLS_MAX <= kept.count("calls")? || ANSWERS_MAX_BYTES <= kept.count("answers")? {
                return Ok(CallStart::TooMany);
            }
            let insert = "INSERT INTO api_calls (token, call_key, request, started_at, answer) VALUES ($1, $2, $3, $4, $5) \
                          ON CONFLICT DO NOTHING";
            let [token, key, request, now] = values;
            let added = sql.run(insert, &[token, key, request, now, (&[]).into()]).await?;
            return Ok(if added == 1 { CallStart::Fresh } else { CallStart::UnderWay });
        };
        if row.get::<Vec<u8>>("request")? != request {
            return Ok(CallStart::OtherRequest);
        }
        if let Some(status) = row.get::<Option<i64>>("status")? {
            let status = u16::try_from(status).map_err(|_| DbError::damaged("status"))?;
            return Ok(CallStart::Answered(GivenAnswer { status, body: row.get("answer")? }));
        }
        if self.now < row.time("started_at")? + CARRIED_OUT_FOR {
            return Ok(CallStart::UnderWay);
        }
        let [token, key, _, now] = values;
        let again = "UPDATE api_calls SET started_at = $3 WHERE token = $1 AND call_key = $2";
        sql.run(again, &[token, key, now]).await?;
        Ok(CallStart::Fresh)
    }
}

/// Keeps the answer of a call, or forgets the call.
pub(in crate::db) struct EndCall {
    pub(in crate::db) call: CallKey,
    pub(in crate::db) answer: Option<GivenAnswer>,
}

#[async_trait]
impl Work for EndCall {
    type Done = ();

    async fn run(&self, sql: &mut dyn Sql) -> Result<(), DbError> {
        let [token, key] = [self.call.token.as_bytes().into(), self.call.key.as_str().into()];
        let Some(GivenAnswer { status, body }) = &self.answer else {
            sql.run("DELETE FROM api_calls WHERE token = $1 AND call_key = $2", &[token, key]).await?;
            return Ok(());
        };
        let values = [token, key, u64::from(*status).into(), body.as_slice().into()];
        let keep = "UPDATE api_calls SET status = $3, answer = $4 WHERE token = $1 AND call_key = $2";
        sql.run(keep, &values).await?;
        Ok(())
    }
}
