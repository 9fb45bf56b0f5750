package collector

import (
	"slices"
	"strings"

	"fluent-bit-mimecast/internal/checkpoint"
	"fluent-bit-mimecast/internal/config"
	"fluent-bit-mimecast/mimecast"
)

// linkLog is a log that API 2.0 serves as links to files, type by type.
type linkLog struct {
	name     string // in the option logs; its records' log_source
	key      string // begins the key of a type's position, which has nothing of API 1.0's
	calls    string // key of the calls that the service counts, for all types together
	before   string // key of the log in API 1.0 that it goes on from; empty: none
	endpoint mimecast.Endpoint
	types    []string // to collect, as Mimecast names them
}

// linkLogs returns the logs of a configuration that come as links.
func linkLogs(cfg config.Config) []linkLog {
	if cfg.API == 1 {
		return nil
	}
	logs := []linkLog{
		{config.SIEM, "siem2:", "calls", config.SIEM, mimecast.SIEMEvents(), cfg.SIEMTypes},
		{config.SIEMCI, "siem_ci:", "calls:siem_ci", "", mimecast.SIEMEventsCI(), mimecast.SIEMTypesCI()},
	}
	return slices.DeleteFunc(logs, func(l linkLog) bool { return !slices.Contains(cfg.Logs, l.name) })
}

// Keys returns the logs that a configuration collects. Those of a customer, whom
// account_code names, have positions apart from those of the account itself.
func Keys(cfg config.Config) []checkpoint.Key {
	var keys []checkpoint.Key
	add := func(log, customer string) {
		account := cfg.Account
		if customer != "" {
			account += "/" + customer
		}
		keys = append(keys, checkpoint.Key{Account: account, Log: log})
	}
	links := linkLogs(cfg)
	for _, name := range cfg.Logs {
		i := slices.IndexFunc(links, func(l linkLog) bool { return l.name == name })
		switch {
		case i < 0 && name == config.SIEM:
			add(name, "")
			continue
		case i < 0:
			add(name, cfg.AccountCode)
			continue
		}
		for _, kind := range links[i].types {
			add(links[i].key+kind, "")
		}
	}
	return keys
}

// newPoller returns what polls a stream, by the log of its key.
func newPoller(s *stream, cfg config.Config, shared []*linksShared, newFile func(dir string) (scratch, error)) poller {
	for _, l := range mimecast.Logs() {
		if l.Name == s.key.Log {
			return newPaged(s, cfg, l)
		}
	}
	for _, of := range shared {
		if kind, ok := strings.CutPrefix(s.key.Log, of.source.key); ok {
			return newLinks(s, cfg, kind, of, newFile)
		}
	}
	return newSIEM(s, cfg, newFile)
}
