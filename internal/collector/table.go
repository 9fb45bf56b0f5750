package collector

import (
	"slices"

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

// part is a log of a configuration, or one type or kind of it, that has a position of
// its own.
type part struct {
	key   checkpoint.Key
	log   string        // in the option logs
	kind  string        // of links: the type, as Mimecast names it; of pages: the kind
	links bool          // it comes as links
	paged *mimecast.Log // nil: it does not come in pages
}

// parts returns the parts of the logs of a configuration. The paged ones of a
// customer, whom account_code names, have positions apart from those of the account
// itself.
func parts(cfg config.Config) []part {
	var list []part
	add := func(p part, key string) {
		p.key = checkpoint.Key{Account: cfg.Account, Log: key}
		if p.paged != nil && cfg.AccountCode != "" {
			p.key.Account += "/" + cfg.AccountCode
		}
		list = append(list, p)
	}
	links, paged := linkLogs(cfg), mimecast.Logs()
	for _, name := range cfg.Logs {
		l := slices.IndexFunc(links, func(l linkLog) bool { return l.name == name })
		p := slices.IndexFunc(paged, func(p mimecast.Log) bool { return p.Name == name })
		switch {
		case l >= 0:
			for _, kind := range links[l].types {
				add(part{log: name, kind: kind, links: true}, links[l].key+kind)
			}
		case p < 0:
			add(part{log: name}, name)
		case paged[p].FeedTypes == nil:
			add(part{log: name, paged: &paged[p]}, name)
		default:
			for _, kind := range cfg.FeedTypes(name) {
				add(part{log: name, paged: &paged[p], kind: kind}, name+":"+kind)
			}
		}
	}
	return list
}

// Keys returns the logs that a configuration collects.
func Keys(cfg config.Config) []checkpoint.Key {
	var keys []checkpoint.Key
	for _, p := range parts(cfg) {
		keys = append(keys, p.key)
	}
	return keys
}

// newPoller returns what polls a part of a log.
func newPoller(s *stream, cfg config.Config, p part, shared []*linksShared, newFile func(dir string) (scratch, error)) poller {
	if p.paged != nil {
		return newPaged(s, cfg, *p.paged, p.kind)
	}
	for _, of := range shared {
		if p.links && of.source.name == p.log {
			return newLinks(s, cfg, p.kind, of, newFile)
		}
	}
	return newSIEM(s, cfg, newFile)
}
