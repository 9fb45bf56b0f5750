package checkpoint

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// What is wrong with a file that bbolt itself would take, or panic at.
var (
	errForeign   = errors.New("it is a database of another program")
	errVersion   = errors.New("its layout is of another version")
	errTruncated = errors.New("the file is shorter than it was written")
	errTaken     = errors.New("it has a log of that name")
	errFreelist  = errors.New("its list of free pages is damaged")
	errDamaged   = errors.New("its content is damaged")
	errBusy      = errors.New("it is written all the time; try again")
)

// ErrOld says that a file is of an earlier layout, which Open and Peek don't take over.
var ErrOld = errors.New("written by an earlier version of the plugin: this version takes it over at its next start with it")

// errFault is a page that was missing when bbolt came to it in memory: the disk
// could not read it, or the file is damaged or was cut short. The next use opens
// the file again, and finds out.
var errFault = errors.New("a page can't be read, because the disk or the network file system failed or the file is damaged; " +
	"check the disk: the file is opened again by itself, and the position stays in it")

// errFaults ends the opening again.
var errFaults = errors.New("too many of its pages could not be read; check the disk or the network file system, then restart")

// isDamage reports whether an error means that the content of the file is of no
// use, however often it is tried.
func isDamage(err error) bool {
	for _, damage := range []error{
		bolterrors.ErrInvalid, bolterrors.ErrVersionMismatch, bolterrors.ErrChecksum,
		errForeign, errTruncated, errFreelist, errDamaged,
	} {
		if errors.Is(err, damage) {
			return true
		}
	}
	return false
}

// opening words an error of opening the file at path. Moving a file away costs
// the position, so that is the advice for a useless one alone.
func opening(path string, err error) error {
	switch {
	case isDamage(err):
		return fmt.Errorf("db %s can't be used as a checkpoint file; move it away to start anew: %w", path, err)
	case errors.Is(err, errVersion):
		return fmt.Errorf("db %s can't be used: %w; install the version of the plugin that wrote it, which keeps the position", path, err)
	case errors.Is(err, ErrOld):
		return fmt.Errorf("db %s was %w", path, err)
	case errors.Is(err, os.ErrNotExist) && !isCopy(err):
		return fmt.Errorf("db %s can't be made: its folder does not exist", path)
	}
	return failure(path, "can't be opened", err)
}

// failure words an error of using the file at path.
func failure(path, what string, err error) error {
	errno := errnoOf(err)
	var file *os.PathError
	switch {
	case isCopy(err):
		return fmt.Errorf("db %s was written by an earlier version of the plugin and can't be taken over: %w; %s; nothing has been changed", path, err, copyAdvice(errno))
	case errors.Is(err, bolterrors.ErrTimeout):
		return fmt.Errorf("db %s is in use by another process", path)
	case errors.Is(err, errBusy):
		return fmt.Errorf("db %s %s: %w", path, what, err)
	case isDamage(err):
		return fmt.Errorf("db %s %s: %w; move it away and restart to start anew", path, what, err)
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("db %s %s: it is gone; put it back, or restart to start anew", path, what)
	case errors.Is(err, os.ErrPermission) && errors.As(err, &file) && file.Op == "open":
		return fmt.Errorf("db %s %s: user %d may not read and write it, or may not write to its folder", path, what, os.Getuid())
	case errno == 0:
		return fmt.Errorf("db %s %s: %w", path, what, err)
	}
	known := errnos[errno]
	if known.name == "" {
		known.name = fmt.Sprintf("errno %d", int(errno))
	}
	if known.advice == "" {
		return fmt.Errorf("db %s %s: %s: %w", path, what, known.name, err)
	}
	return fmt.Errorf("db %s %s: %s: %w; %s", path, what, known.name, err, known.advice)
}

// copyAdvice says what to do when the copy of a file can't be made.
func copyAdvice(errno syscall.Errno) string {
	switch errno {
	case syscall.ENOSPC, syscall.EDQUOT:
		return "make room on its file system"
	case syscall.EACCES, syscall.EPERM:
		return fmt.Sprintf("let user %d write to its folder", os.Getuid())
	case syscall.EROFS:
		return "make its file system writable"
	case syscall.EIO:
		return "check the disk or the network file system"
	}
	return "see to it that a file of this name can be made"
}

// What to do about an errno.
const (
	adviceLocal    = "its file system can't lock or map a file: put db on a local file system"
	adviceRefused  = "its file system refuses it: another machine may have it locked, or a policy forbids it; put db on a local file system"
	adviceDisk     = "the disk or the network file system fails: check it; the position stays in the file"
	adviceRoom     = "make room on its file system; the position stays in the file"
	adviceReadOnly = "make its file system writable; the position stays in the file"
)

// errnos names those that file systems answer with.
var errnos = map[syscall.Errno]struct{ name, advice string }{
	syscall.ENOLCK:     {"ENOLCK", adviceLocal},
	syscall.EOPNOTSUPP: {"EOPNOTSUPP", adviceLocal},
	syscall.ENOSYS:     {"ENOSYS", adviceLocal},
	syscall.EINVAL:     {"EINVAL", adviceLocal},
	syscall.ENODEV:     {"ENODEV", adviceLocal},
	syscall.EACCES:     {"EACCES", adviceRefused},
	syscall.EPERM:      {"EPERM", adviceRefused},
	syscall.EIO:        {"EIO", adviceDisk},
	syscall.ESTALE:     {"ESTALE", adviceDisk},
	syscall.ENOTCONN:   {"ENOTCONN", adviceDisk}, // a FUSE daemon that has ended
	syscall.ETIMEDOUT:  {"ETIMEDOUT", adviceDisk},
	syscall.ENOSPC:     {"ENOSPC", adviceRoom},
	syscall.EDQUOT:     {"EDQUOT", adviceRoom},
	syscall.EROFS:      {"EROFS", adviceReadOnly},
	syscall.EAGAIN:     {"EAGAIN", ""},
	syscall.EINTR:      {"EINTR", ""},
	syscall.ENOMEM:     {"ENOMEM", ""},
	syscall.EMFILE:     {"EMFILE", ""},
	syscall.ENFILE:     {"ENFILE", ""},
	syscall.EFBIG:      {"EFBIG", ""},
	syscall.EISDIR:     {"EISDIR", ""},
	syscall.ENOTDIR:    {"ENOTDIR", ""},
}

// losesFile reports whether an error makes an open file useless, though the one
// at its path may be well: one of NFS after its server was restarted, one of
// FUSE after its daemon was, and one that bbolt failed to map again.
func losesFile(err error) bool {
	return errnos[errnoOf(err)].advice == adviceDisk ||
		errors.Is(err, errFault) || errors.Is(err, errDamaged) || errors.Is(err, bolterrors.ErrInvalidMapping)
}

// errnoOf returns the errno of an error, zero when there is none. Of some bbolt
// keeps the text alone.
func errnoOf(err error) syscall.Errno {
	var errno syscall.Errno
	if err == nil || errors.As(err, &errno) {
		return errno
	}
	for known := range errnos {
		if strings.HasSuffix(err.Error(), ": "+known.Error()) {
			return known
		}
	}
	return 0
}

// recovering returns fn with its panics as errors, after which bbolt can end the
// transaction.
func recovering(fn func(*bbolt.Tx) error) func(*bbolt.Tx) error {
	return func(tx *bbolt.Tx) (err error) {
		defer func() {
			if r := recover(); r != nil {
				err = panicError(r)
			}
		}()
		return fn(tx)
	}
}

func panicError(r any) error {
	// The address of a fault differs each time, and says nothing.
	if _, fault := r.(interface{ Addr() uintptr }); fault {
		return errFault
	}
	return fmt.Errorf("%w (%v)", errDamaged, r)
}

// copyError is of the copy of a file, not of the file.
type copyError struct {
	to  string
	err error
}

func (e *copyError) Error() string { return "its copy " + e.to + " can't be made: " + e.err.Error() }

func (e *copyError) Unwrap() error { return e.err }

func isCopy(err error) bool {
	var e *copyError
	return errors.As(err, &e)
}
