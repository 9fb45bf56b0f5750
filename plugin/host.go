package main

/*
#cgo LDFLAGS: -ldl
#include <stdlib.h>
#include "host.h"
*/
import "C"

import (
	"errors"
	"time"
	"unsafe"

	"fluent-bit-mimecast/internal/delivery"
)

// maxBuffer bounds what one callback returns where records can't be appended
// directly: it becomes one chunk, and Fluent Bit's have 2 MB.
const maxBuffer = 2_000_000

// host is the host's side of one instance. Its methods are for the instance's
// thread. It implements collector.Host.
type host struct {
	api   *C.struct_host_api
	input unsafe.Pointer
	name  *C.char
	tag   string // of the instance; empty when it is not needed
	// direct is whether records can be appended from within a callback;
	// otherwise they gather in buffer.
	direct bool
	buffer []byte
	tags   map[string][]byte // ready made

	counts   int           // how often Counts has asked the host
	counting time.Duration // what that took
}

func newHost(plug unsafe.Pointer) *host {
	p := (*C.struct_host_plugin)(plug)
	h := &host{api: p.api, input: p.input, direct: C.host_can_append() != 0, tags: map[string][]byte{}}
	if h.name = C.host_name(p.input); h.name == nil {
		h.name = p.name
	}
	return h
}

// hostVersion is that of Fluent Bit, as far as it can be known; empty in another
// host.
func hostVersion() string { return C.GoString(C.host_version()) }

// findTag looks up the tag of the instance, which the tags by type begin with.
// It stays empty where it can't be found or can't be used.
func (h *host) findTag(plug unsafe.Pointer) {
	var buf [4096]C.char
	n := C.host_tag(h.input, (*C.struct_host_plugin)(plug).context, &buf[0], C.int(len(buf)))
	if h.direct && n > 0 {
		h.tag = C.GoStringN(&buf[0], n)
	}
}

// Append implements collector.Host.
func (h *host) Append(tag string, records int, buf []byte) error {
	if !h.direct {
		if len(h.buffer)+len(buf) > maxBuffer && len(h.buffer) > 0 {
			return delivery.ErrFull
		}
		h.buffer = append(h.buffer, buf...)
		return nil
	}
	full, size := (*C.char)(nil), C.size_t(0)
	if tag != "" {
		t, ok := h.tags[tag]
		if !ok {
			t = []byte(h.tag + "." + tag + "\x00")
			h.tags[tag] = t
		}
		full, size = (*C.char)(unsafe.Pointer(&t[0])), C.size_t(len(t)-1)
	}
	if code := C.host_append(h.input, C.size_t(records), full, size, unsafe.Pointer(&buf[0]), C.size_t(len(buf))); code != 0 {
		return errors.New("flb_input_log_append_records failed")
	}
	return nil
}

// Counts implements collector.Host.
func (h *host) Counts() (delivery.Counts, bool) {
	if !h.direct {
		return delivery.Counts{}, false
	}
	var queued C.int64_t
	began := time.Now()
	records := C.host_counts(h.api, h.input, &queued)
	h.counts++
	h.counting += time.Since(began)
	return delivery.Counts{Records: uint64(max(records, 0)), Queued: int64(queued)}, records >= 0
}

// flushBuffer returns what gathered in the buffer, for the callback to return.
func (h *host) flushBuffer() []byte {
	buf := h.buffer
	h.buffer = h.buffer[:0]
	return buf
}

// logs says whether lines of a level are logged.
func (h *host) logs(level int) bool { return C.host_logs(h.api, h.input, C.int(level)) != 0 }

func (h *host) print(level int, line string) {
	text := C.CString(line)
	defer C.free(unsafe.Pointer(text))
	C.host_log(h.api, C.int(level), h.name, text)
}
