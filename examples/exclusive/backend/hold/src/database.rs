//! The entries, in an SQLite database that no other process may open meanwhile.

use rusqlite::Connection;
use staysail::{AppHandle, Exclusive};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// One entry.
#[staysail::data]
#[derive(Debug, PartialEq)]
pub struct Entry {
    pub name: String,
    pub text: String,
}

/// The database.
pub struct Database(Mutex<Connection>);

impl Exclusive for Database {
    const NAME: &'static str = "database";
    type Error = rusqlite::Error;

    fn acquire(app: &AppHandle) -> rusqlite::Result<Self> {
        Self::open(&app.data_dir().join("guests.db"))
    }

    /// Closes the file: everything is on the disk, and the next one may open it.
    fn release(self) -> rusqlite::Result<()> {
        let connection = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        connection.close().map_err(|(_, error)| error)
    }
}

impl Database {
    /// Opens the file and locks it at once; an error when another process has it.
    fn open(file: &Path) -> rusqlite::Result<Self> {
        let connection = Connection::open(file)?;
        // Who else has it will not let go of it soon.
        connection.busy_timeout(Duration::ZERO)?;
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        connection.execute_batch(
            "BEGIN EXCLUSIVE;
             CREATE TABLE IF NOT EXISTS entry (name TEXT NOT NULL, text TEXT NOT NULL);
             COMMIT",
        )?;
        Ok(Self(Mutex::new(connection)))
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes an entry.
    pub fn sign(&self, name: &str, text: &str) -> Result<(), String> {
        let statement = "INSERT INTO entry (name, text) VALUES (?1, ?2)";
        self.connection().execute(statement, [name, text]).map(drop).map_err(|error| error.to_string())
    }

    /// All entries, the newest first.
    pub fn entries(&self) -> Result<Vec<Entry>, String> {
        let read = || -> rusqlite::Result<Vec<Entry>> {
            let connection = self.connection();
            let mut rows = connection.prepare("SELECT name, text FROM entry ORDER BY rowid DESC")?;
            rows.query_map([], |row| Ok(Entry { name: row.get(0)?, text: row.get(1)? }))?.collect()
        };
        read().map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_has_it_at_a_time_and_the_next_finds_what_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("guests.db");
        let first = Database::open(&file).unwrap();
        first.sign("Ada", "A fine ship").unwrap();
        first.sign("Grace", "Well sailed").unwrap();
        let refused = Database::open(&file).err().unwrap();
        assert!(refused.to_string().contains("locked"), "{refused}");
        first.release().unwrap();
        let entries = Database::open(&file).unwrap().entries().unwrap();
        let entry = |name: &str, text: &str| Entry { name: name.into(), text: text.into() };
        assert_eq!(entries, [entry("Grace", "Well sailed"), entry("Ada", "A fine ship")]);
    }
}
