package record

import (
	"fmt"
	"io"
)

// Bounds of an archive. Real ones hold some files and unpack to five or ten
// times their size; deflate can't do more than a thousandfold.
const (
	maxDirectory = 8 << 20 // bytes of the archive's directory
	maxFiles     = 10000
	maxRatio     = 200
	// Small archives may have any ratio: a few kilobytes of spaces are no bomb.
	freeSize = 16 << 20
	// maxUnpacked bounds one file, so that sums don't wrap.
	maxUnpacked = 1 << 40
)

// File is a log file of a batch, to be read once.
type File struct {
	Name string // as the batch names it, cleaned; never a path
	io.Reader
	// Packed reads the file's bytes as they lie in the batch; nil when they
	// are what Reader reads.
	Packed func() io.Reader
}

// Batch is the log files of one batch, in their order.
type Batch struct {
	files func() (*File, error)
}

// Next returns the batch's next log file. After the last it returns io.EOF. A
// file must be read before the next is asked for. A *Damage says that the
// batch can't be read on: its bytes from Offset on are not in any file.
func (b *Batch) Next() (*File, error) { return b.files() }

const (
	// blanks is what may be around an archive and says nothing.
	blanks = " \t\r\n\v\f\x00"
	// maxLead is how many of them may be before it.
	maxLead = 16
)

// one is a batch of one file, or of none that can be read.
func one(f *File, err error) *Batch {
	done := false
	return &Batch{func() (*File, error) {
		if done {
			return nil, io.EOF
		}
		done = true
		return f, err
	}}
}

func limit(format string, args ...any) *Damage {
	return &Damage{Reason: fmt.Sprintf(format, args...), Limit: true}
}

func tooLarge(unpacked, packed uint64) bool {
	return unpacked > freeSize && unpacked/maxRatio > packed
}
