package collector

import (
	"fluent-bit-mimecast/internal/config"
	"fluent-bit-mimecast/mimecast"
)

// pollers returns what polls each stream, by the log of its key.
func pollers(cfg config.Config, streams []*stream, newFile func(dir string) (scratch, error)) []poller {
	paged := map[string]mimecast.Log{}
	for _, l := range mimecast.Logs() {
		paged[l.Name] = l
	}
	var list []poller
	for _, s := range streams {
		if l, ok := paged[s.key.Log]; ok {
			list = append(list, newPaged(s, cfg, l))
		} else {
			list = append(list, newSIEM(s, cfg, newFile))
		}
	}
	return list
}
