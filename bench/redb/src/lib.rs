//! redb behind the functions that `bench/native/rivals.zig` describes: a key goes through a
//! scratch, a value comes back in it, many rows go and come in one call.
//!
//! A get pins the newest state with a read transaction that stays until the turn ends. A commit is
//! `Durability::Immediate` or `Durability::None`; what the latter left is flushed when the store is
//! closed.

use redb::{Database, Durability, ReadOnlyTable, ReadableDatabase, TableDefinition};
use std::cell::RefCell;
use std::sync::{Arc, Mutex, Weak};

const KEY_ROOM: usize = 64 << 10;
const DATA_ROOM: usize = 4 << 20;
const NOT_FOUND: i32 = -1;
const FAILED: i32 = -2;
const FLUSHED: u32 = 1;
const TABLE: TableDefinition<&[u8], &[u8]> = TableDefinition::new("rows");
/// The version that Cargo.toml pins.
const VERSION: &str = "4.5.0";

type Problem = Box<dyn std::error::Error>;
type Table = ReadOnlyTable<&'static [u8], &'static [u8]>;
type Rows = redb::Range<'static, &'static [u8], &'static [u8]>;

/// A store, shared by all sessions of its path.
struct Store {
    path: String,
    database: Database,
    is_flushed: bool,
}

impl Store {
    fn write<'a>(&self, rows: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> Result<i32, Problem> {
        let mut txn = self.database.begin_write()?;
        txn.set_durability(if self.is_flushed {
            Durability::Immediate
        } else {
            Durability::None
        })?;
        {
            let mut table = txn.open_table(TABLE)?;
            for (key, value) in rows {
                table.insert(key, value)?;
            }
        }
        txn.commit()?;
        Ok(0)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Ok(mut txn) = self.database.begin_write() {
            let _ = txn.set_durability(Durability::Immediate);
            let _ = txn.commit();
        }
    }
}

struct Session {
    store: Arc<Store>,
    scratch: Vec<u8>,
    table: Option<Table>,
    rows: Option<Rows>,
    /// The row that did not fit.
    held: Option<(Vec<u8>, Vec<u8>)>,
}

impl Session {
    fn pinned(&mut self) -> Result<&Table, Problem> {
        if self.table.is_none() {
            self.table = Some(self.store.database.begin_read()?.open_table(TABLE)?);
        }
        Ok(self.table.as_ref().unwrap())
    }

    fn get(&mut self, key_size: usize) -> Result<i32, Problem> {
        self.pinned()?;
        let table = self.table.as_ref().unwrap();
        let Some(found) = table.get(&self.scratch[..key_size])? else {
            return Ok(NOT_FOUND);
        };
        let value = found.value();
        if value.len() > DATA_ROOM {
            return Err("the value is larger than the scratch".into());
        }
        self.scratch[KEY_ROOM..][..value.len()].copy_from_slice(value);
        Ok(value.len() as i32)
    }

    fn get_many(&mut self, keys: *const u8, count: u32, out: &mut [u8]) -> Result<i32, Problem> {
        let table = self.pinned()?;
        let mut keys = Input(keys);
        let mut used = 0;
        for answered in 0..count {
            let size = keys.size();
            let found = table.get(keys.bytes(size))?;
            let value = found.as_ref().map(|it| it.value());
            let size = value.map_or(0, |it| it.len());
            if out.len() - used < 4 + size {
                return Ok(answered as i32);
            }
            let mark = value.map_or(-1, |it| it.len() as i32);
            out[used..][..4].copy_from_slice(&mark.to_le_bytes());
            out[used + 4..][..size].copy_from_slice(value.unwrap_or_default());
            used += 4 + size;
        }
        Ok(count as i32)
    }

    fn scan_open(&mut self, key_size: usize) -> Result<i32, Problem> {
        self.pinned()?;
        let table = self.table.as_ref().unwrap();
        self.held = None;
        self.rows = Some(table.range(&self.scratch[..key_size]..)?);
        Ok(0)
    }

    fn scan_next(&mut self, rows_max: u32) -> Result<i32, Problem> {
        let out = &mut self.scratch[KEY_ROOM..];
        let mut used = 0;
        let mut count = 0;
        if let Some((key, value)) = self.held.take() {
            used += put_row(&mut out[used..], &key, &value)
                .ok_or("a row is larger than the scratch")?;
            count += 1;
        }
        let rows = self.rows.as_mut().ok_or("no scan is open")?;
        while count < rows_max {
            let Some(row) = rows.next() else { break };
            let (key, value) = row?;
            let Some(size) = put_row(&mut out[used..], key.value(), value.value()) else {
                self.held = Some((key.value().to_vec(), value.value().to_vec()));
                break;
            };
            used += size;
            count += 1;
        }
        Ok(count as i32)
    }
}

/// The bytes that a row takes, or none if it does not fit.
fn put_row(out: &mut [u8], key: &[u8], value: &[u8]) -> Option<usize> {
    let size = 8 + key.len() + value.len();
    if out.len() < size {
        return None;
    }
    out[..4].copy_from_slice(&(key.len() as u32).to_le_bytes());
    out[4..8].copy_from_slice(&(value.len() as u32).to_le_bytes());
    out[8..][..key.len()].copy_from_slice(key);
    out[8 + key.len()..size].copy_from_slice(value);
    Some(size)
}

/// Keys or rows as they lie in the caller's memory.
struct Input(*const u8);

impl Input {
    fn size(&mut self) -> usize {
        let bytes = self.bytes(4);
        u32::from_le_bytes(bytes.try_into().unwrap()) as usize
    }

    fn bytes<'a>(&mut self, size: usize) -> &'a [u8] {
        let bytes = unsafe { std::slice::from_raw_parts(self.0, size) };
        self.0 = unsafe { self.0.add(size) };
        bytes
    }
}

static STORES: Mutex<Vec<Weak<Store>>> = Mutex::new(Vec::new());

thread_local! {
    // A session belongs to the thread that opened it; so does its number.
    static SESSIONS: RefCell<Vec<Option<Session>>> = const { RefCell::new(Vec::new()) };
    static FAILURE: RefCell<String> = const { RefCell::new(String::new()) };
}

fn result(done: Result<i32, Problem>) -> i32 {
    done.unwrap_or_else(|problem| {
        FAILURE.with(|text| *text.borrow_mut() = problem.to_string());
        FAILED
    })
}

fn run(session: u32, call: impl FnOnce(&mut Session) -> Result<i32, Problem>) -> i32 {
    SESSIONS.with(|sessions| {
        let mut sessions = sessions.borrow_mut();
        match sessions.get_mut(session as usize).and_then(Option::as_mut) {
            Some(session) => result(call(session)),
            None => result(Err("the session is closed".into())),
        }
    })
}

fn open_store(path: &str, flags: u32) -> Result<Arc<Store>, Problem> {
    let is_flushed = flags & FLUSHED != 0;
    let mut stores = STORES.lock().unwrap();
    stores.retain(|it| it.strong_count() > 0);
    if let Some(it) = stores
        .iter()
        .filter_map(Weak::upgrade)
        .find(|it| it.path == path)
    {
        if it.is_flushed != is_flushed {
            return Err("the store is open with the other durability".into());
        }
        return Ok(it);
    }
    let database = Database::create(path)?;
    let txn = database.begin_write()?;
    txn.open_table(TABLE)?;
    txn.commit()?;
    let store = Arc::new(Store {
        path: path.to_string(),
        database,
        is_flushed,
    });
    stores.push(Arc::downgrade(&store));
    Ok(store)
}

unsafe fn copy_text(text: &str, buffer: *mut u8, size: u32) -> i32 {
    let count = text.len().min(size as usize);
    std::ptr::copy_nonoverlapping(text.as_ptr(), buffer, count);
    count as i32
}

/// # Safety
/// `buffer` has room for `size` bytes.
#[no_mangle]
pub unsafe extern "C" fn rival_redb_version(buffer: *mut u8, size: u32) -> i32 {
    copy_text(VERSION, buffer, size)
}

/// # Safety
/// `buffer` has room for `size` bytes.
#[no_mangle]
pub unsafe extern "C" fn rival_redb_message(buffer: *mut u8, size: u32) -> i32 {
    FAILURE.with(|text| copy_text(&text.borrow(), buffer, size))
}

/// # Safety
/// `path` has `path_size` bytes.
#[no_mangle]
pub unsafe extern "C" fn rival_redb_open(path: *const u8, path_size: u32, flags: u32) -> i32 {
    let bytes = std::slice::from_raw_parts(path, path_size as usize);
    result((|| {
        let store = open_store(std::str::from_utf8(bytes)?, flags)?;
        let session = Session {
            store,
            scratch: vec![0; KEY_ROOM + DATA_ROOM],
            table: None,
            rows: None,
            held: None,
        };
        SESSIONS.with(|sessions| {
            let mut sessions = sessions.borrow_mut();
            sessions.push(Some(session));
            Ok(sessions.len() as i32 - 1)
        })
    })())
}

#[no_mangle]
pub extern "C" fn rival_redb_scratch(session: u32) -> *mut u8 {
    SESSIONS.with(
        |sessions| match sessions.borrow_mut().get_mut(session as usize) {
            Some(Some(it)) => it.scratch.as_mut_ptr(),
            _ => std::ptr::null_mut(),
        },
    )
}

#[no_mangle]
pub extern "C" fn rival_redb_get(session: u32, key_size: u32) -> i32 {
    run(session, |it| it.get(key_size as usize))
}

/// # Safety
/// `keys` has `count` keys, `out` has room for `out_size` bytes.
#[no_mangle]
pub unsafe extern "C" fn rival_redb_get_many(
    session: u32,
    keys: *const u8,
    count: u32,
    out: *mut u8,
    out_size: u32,
) -> i32 {
    let out = std::slice::from_raw_parts_mut(out, out_size as usize);
    run(session, |it| it.get_many(keys, count, out))
}

#[no_mangle]
pub extern "C" fn rival_redb_unpin(session: u32) -> i32 {
    run(session, |it| {
        it.table = None;
        Ok(0)
    })
}

/// # Safety
/// `value` has `value_size` bytes.
#[no_mangle]
pub unsafe extern "C" fn rival_redb_put(
    session: u32,
    key_size: u32,
    value: *const u8,
    value_size: u32,
) -> i32 {
    let value = std::slice::from_raw_parts(value, value_size as usize);
    run(session, |it| {
        // What is read next sees what is written here.
        it.table = None;
        let key = &it.scratch[..key_size as usize];
        it.store.write(std::iter::once((key, value)))
    })
}

/// # Safety
/// `rows` has `count` rows.
#[no_mangle]
pub unsafe extern "C" fn rival_redb_write(
    session: u32,
    rows: *const u8,
    count: u32,
    _is_ordered: u32,
) -> i32 {
    let mut input = Input(rows);
    run(session, |it| {
        it.table = None;
        it.store.write((0..count).map(|_| {
            let key_size = input.size();
            let value_size = input.size();
            (input.bytes(key_size), input.bytes(value_size))
        }))
    })
}

#[no_mangle]
pub extern "C" fn rival_redb_scan_open(session: u32, key_size: u32) -> i32 {
    run(session, |it| it.scan_open(key_size as usize))
}

#[no_mangle]
pub extern "C" fn rival_redb_scan_next(session: u32, rows_max: u32) -> i32 {
    run(session, |it| it.scan_next(rows_max))
}

#[no_mangle]
pub extern "C" fn rival_redb_scan_close(session: u32) -> i32 {
    run(session, |it| {
        it.rows = None;
        it.held = None;
        Ok(0)
    })
}

#[no_mangle]
pub extern "C" fn rival_redb_close(session: u32) -> i32 {
    SESSIONS.with(
        |sessions| match sessions.borrow_mut().get_mut(session as usize) {
            Some(place) => {
                *place = None;
                0
            }
            None => result(Err("the session is closed".into())),
        },
    )
}
