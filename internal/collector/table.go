package collector

import "fluent-bit-mimecast/internal/config"

// pollers returns what polls each stream, by the log of its key.
func pollers(cfg config.Config, streams []*stream, newFile func(dir string) (scratch, error)) []poller {
	var list []poller
	for _, s := range streams {
		switch s.key.Log {
		case config.SIEM:
			list = append(list, newSIEM(s, cfg, newFile))
		case config.Impersonation:
			list = append(list, newPaged(s, cfg, paging{
				source:   "ttp",
				logType:  "impersonation",
				pages:    s.client.ImpersonationLogs(cfg.Filter),
				pageSize: cfg.PageSize,
			}))
		}
	}
	return list
}
