package collector

import (
	"context"
	"log/slog"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"fluent-bit-mimecast/internal/memory"
	"fluent-bit-mimecast/internal/position"
	"fluent-bit-mimecast/mimecast"
)

const (
	// linkSlots bounds the files that are downloaded and not yet decoded, of all types
	// of a block, as long as none takes long. It is one where the share of memory is the
	// smallest, and so is linkReaders.
	linkSlots = 4
	// linkReaders bounds the files that are decoded at a time, of all types of a block.
	// Each holds up to holdBytes of records.
	linkReaders = 2
	// maxHosts bounds the hosts of links that are logged.
	maxHosts = 16
)

// linksShared is what the types of a log share in a block. All logs of the block have
// the same slots and readers.
type linksShared struct {
	source  linkLog
	quota   *quota
	slots   *memory.Gate               // for the files that are downloaded and not yet decoded
	readers *memory.Gate               // for those that are decoded
	keep    func(position.Calls) error // over a restart
	log     *slog.Logger
	waited  atomic.Int64 // for the quota, in nanoseconds
	came    atomic.Int64 // when a log file last came, of any type; Unix time in nanoseconds

	keeping sync.Mutex // so that the latest calls are kept last
	mu      sync.Mutex
	hosts   map[string]bool // of links, that were logged
}

// spend waits until a call may be made, and counts it.
func (s *linksShared) spend(ctx context.Context, urgent bool) error {
	began := time.Now()
	err := s.quota.acquire(ctx, urgent)
	s.waited.Add(int64(time.Since(began)))
	if err != nil {
		return err
	}
	s.keeping.Lock()
	defer s.keeping.Unlock()
	if err := s.keep(s.quota.calls()); err != nil {
		s.log.Debug("calls are not kept", "err", err)
	}
	return nil
}

// sayHost logs the host of links once: firewalls need it, and Mimecast does not
// document it.
func (s *linksShared) sayHost(l mimecast.SIEMLink) {
	u, err := url.Parse(l.URL)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hosts == nil {
		s.hosts = map[string]bool{}
	}
	if len(s.hosts) < maxHosts && !s.hosts[u.Host] {
		s.hosts[u.Host] = true
		s.log.Info("log files come from this host", "host", u.Host)
	}
}
