//! Keeping the machine awake.

use crate::AppHandle;
use serde_json::json;
use staysail_protocol::CallError;

/// The machine stays awake as long as this is there.
///
/// It ends with the worker that holds it, however that ends. At a swap the old worker's lasts until the new one's
/// probation is over: a new worker that wants it to go on asks again with the same words in its `on_activate`, and
/// nothing is let go meanwhile.
#[must_use = "the machine may fall asleep as soon as this is dropped"]
pub struct KeepAwake {
    app: AppHandle,
    id: u64,
}

impl Drop for KeepAwake {
    fn drop(&mut self) {
        self.app.tell("power.release", &json!({ "id": self.id }));
    }
}

impl AppHandle {
    /// Keeps the machine from falling asleep for want of use; `reason` is for the user.
    ///
    /// ```no_run
    /// # async fn example(app: staysail::AppHandle) -> Result<(), staysail::CallError> {
    /// let awake = app.keep_awake("Copying charts").await?;
    /// // … copy …
    /// drop(awake);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// When nothing on this desktop can.
    pub async fn keep_awake(&self, reason: &str) -> Result<KeepAwake, CallError> {
        self.awake(reason, false).await
    }

    /// As [`keep_awake`](Self::keep_awake), and the screen stays on.
    ///
    /// # Errors
    /// When nothing on this desktop can.
    pub async fn keep_display_on(&self, reason: &str) -> Result<KeepAwake, CallError> {
        self.awake(reason, true).await
    }

    async fn awake(&self, reason: &str, display: bool) -> Result<KeepAwake, CallError> {
        let id =
            self.ask::<u64>("power.keep_awake", &json!({ "reason": reason, "display": display })).await?;
        Ok(KeepAwake { app: self.clone(), id })
    }
}
