package record

import (
	"bytes"
	"errors"
	"io"
)

// OpenBatch opens a batch. Its first bytes decide what it is: a zip of log files,
// or one log file, in gzip or plain, which then has the batch's name. White space
// and NULs before a zip or gzip, up to maxLead of them, and after it are passed
// over, as they are by most that read zips: a server or a proxy may have put them
// there.
func OpenBatch(r io.ReaderAt, size int64, name string) *Batch {
	var start [maxLead + 4]byte
	n, _ := r.ReadAt(start[:], 0)
	head := bytes.TrimLeft(start[:n], blanks)
	switch {
	case isGzip(head):
		return gunzip(r, size, name)
	case !isZip(head):
		return one(&File{Name: CleanName(name), Reader: io.NewSectionReader(r, 0, size)}, nil)
	}
	archive, end, err := openZip(r, size)
	if err != nil {
		var limit *Damage
		if errors.As(err, &limit) {
			return one(nil, limit)
		}
		return salvage(r, size, err)
	}
	return zipped(archive, end, r, size)
}

func isZip(head []byte) bool {
	// A file's header, or one of the records at the end where there are no files.
	return bytes.HasPrefix(head, []byte("PK\x03\x04")) || bytes.HasPrefix(head, []byte("PK\x05\x06")) || bytes.HasPrefix(head, []byte("PK\x06\x06"))
}

func isGzip(head []byte) bool { return bytes.HasPrefix(head, []byte("\x1f\x8b")) }

// MayHoldEvents reports whether a file begins as one of events of API 2.0 does, a
// JSON object on each line, in gzip or plain. One without content may. A plain one
// must have a field that events have and the error of a server has not.
func MayHoldEvents(r io.ReaderAt) bool {
	start := make([]byte, 64<<10)
	n, _ := r.ReadAt(start, 0)
	head := bytes.TrimLeft(start[:n], blanks+bom)
	if len(head) == 0 || isGzip(head) {
		return true
	}
	for _, field := range []string{"accountId", "aggregateId", "processingId", "eventType", "senderEnvelope", "authResults"} {
		if head[0] == '{' && bytes.Contains(head, []byte(`"`+field+`"`)) {
			return true
		}
	}
	return false
}
