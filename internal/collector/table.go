package collector

import (
	"strings"

	"fluent-bit-mimecast/internal/checkpoint"
	"fluent-bit-mimecast/internal/config"
	"fluent-bit-mimecast/mimecast"
)

// siem2 begins the key of the SIEM logs of one type of API 2.0. They have nothing
// in common with a position of API 1.0.
const siem2 = "siem2:"

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
	for _, name := range cfg.Logs {
		switch {
		case name != config.SIEM:
			add(name, cfg.AccountCode)
		case cfg.API == 1:
			add(name, "")
		default:
			for _, kind := range cfg.SIEMTypes {
				add(siem2+kind, "")
			}
		}
	}
	return keys
}

// newPoller returns what polls a stream, by the log of its key.
func newPoller(s *stream, cfg config.Config, shared *linksShared, newFile func(dir string) (scratch, error)) poller {
	for _, l := range mimecast.Logs() {
		if l.Name == s.key.Log {
			return newPaged(s, cfg, l)
		}
	}
	if kind, ok := strings.CutPrefix(s.key.Log, siem2); ok {
		return newLinks(s, cfg, kind, shared, newFile)
	}
	return newSIEM(s, cfg, newFile)
}
