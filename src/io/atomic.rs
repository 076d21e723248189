//! Replacing a file as a whole or not at all.

use super::error::Error;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

/// Writes `bytes` to the file at `path`, creating or replacing it; on failure an old file is left as it was.
///
/// The bytes go to a temporary file in the same directory, are flushed to the disk, and take the name `path` in
/// one rename: a reader, a crash or a full disk sees the old content or the new, never a part. A replaced file
/// keeps its permissions, and a symbolic link its place.
///
/// # Errors
/// What the operating system said, with the path.
pub fn write_atomically(path: impl AsRef<Path>, bytes: &[u8]) -> Result<(), Error> {
    replace(path.as_ref(), bytes).map_err(|e| Error::new("write file", path.as_ref(), e.into()))
}

pub(super) fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    // The rename would replace a symbolic link instead of the file that it points to.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let directory = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut file = builder().tempfile_in(directory)?;
    file.write_all(bytes)?;
    if let Ok(old) = fs::metadata(&target) {
        file.as_file().set_permissions(old.permissions())?;
    }
    file.as_file().sync_all()?;
    file.persist(&target)?;
    sync_directory(directory);
    Ok(())
}

/// Temporary files are private by default; a new file gets the permissions that the process's umask allows.
fn builder() -> tempfile::Builder<'static, 'static> {
    #[allow(unused_mut)] // where there is no umask
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder
}

/// Makes the rename itself durable. The new file is in place already and not every file system can do this, so
/// a failure is no error.
fn sync_directory(directory: &Path) {
    if cfg!(unix) {
        let _ = File::open(directory).and_then(|directory| directory.sync_all());
    }
}

#[cfg(test)]
mod tests {
    use super::super::Cause;
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
        fs::read_dir(directory).unwrap().map(name).collect()
    }

    #[test]
    fn files_are_created_and_replaced_and_nothing_is_left_over() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        for content in [&b"first"[..], b"", b"third"] {
            write_atomically(&path, content).unwrap();
            assert_eq!(fs::read(&path).unwrap(), content);
            assert_eq!(names(directory.path()), ["a"]);
        }
    }

    #[test]
    fn a_failed_rename_leaves_everything_as_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("old"), "content").unwrap();
        let error = write_atomically(&path, b"new").unwrap_err();
        assert!(matches!(error.cause, Cause::System(_)));
        assert!(error.to_string().starts_with(&format!("cannot write file '{}': ", path.display())));
        assert_eq!(names(directory.path()), ["a"]);
        assert_eq!(fs::read(path.join("old")).unwrap(), b"content");
    }

    #[test]
    fn a_missing_directory_is_not_created() {
        let directory = tempfile::tempdir().unwrap();
        let error = write_atomically(directory.path().join("b").join("a"), b"new").unwrap_err();
        let Cause::System(cause) = error.cause else { panic!("{error}") };
        assert_eq!(cause.kind(), std::io::ErrorKind::NotFound);
        assert!(names(directory.path()).is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn permissions_and_links_survive() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let directory = tempfile::tempdir().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let (path, link, plain) =
            (directory.path().join("a"), directory.path().join("link"), directory.path().join("plain"));
        fs::write(&plain, "").unwrap();
        write_atomically(&path, b"first").unwrap();
        assert_eq!(mode(&path), mode(&plain));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        symlink(&path, &link).unwrap();
        write_atomically(&link, b"second").unwrap();
        assert_eq!((mode(&path), fs::read(&path).unwrap()), (0o640, b"second".to_vec()));
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }
}
