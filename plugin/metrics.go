package main

/*
#include <stdlib.h>
#include "host.h"
*/
import "C"

import (
	"time"
	"unsafe"

	"fluent-bit-mimecast/internal/metric"
)

// metricsInterval is how often the metrics are set.
const metricsInterval = time.Second

// shown is a time series that the host shows with its own metrics.
type shown struct {
	metric  *C.struct_host_metric
	counter C.int
	labels  []*C.char
	read    func() float64
}

// metrics are the time series of an instance. They are for its thread. The zero value
// shows none.
type metrics struct {
	series []shown
	set    time.Time // when they were last set
}

// show makes the series, before Init returns: the host may read while they are set, but
// not while one is made. It reports false, and shows none, where the host can't.
func (m *metrics) show(h *host, all []metric.Series) bool {
	made := map[metric.ID]*C.struct_host_metric{}
	for _, s := range all {
		row := s.ID.Metric()
		counter := C.int(0)
		if row.Counter {
			counter = 1
		}
		if made[s.ID] == nil {
			keys := cStrings(row.Labels)
			name, help := C.CString(row.Name), C.CString(row.Help)
			made[s.ID] = C.host_metric(h.api, h.input, counter, name, help, C.int(len(keys)), &keys[0])
			free(append(keys, name, help))
		}
		if made[s.ID] == nil {
			m.end()
			return false
		}
		values := append([]string{C.GoString(h.name)}, s.Values...)
		m.series = append(m.series, shown{made[s.ID], counter, cStrings(values), s.Read})
	}
	m.update()
	return true
}

// refresh sets the series if they are due.
func (m *metrics) refresh(now time.Time) {
	if now.Sub(m.set) >= metricsInterval {
		m.set = now
		m.update()
	}
}

// update sets the series. If one can't be read, for a bug, none is set any more: the
// callback has more to do.
func (m *metrics) update() {
	all := m.series
	m.series = nil
	for _, s := range all {
		C.host_metric_set(s.metric, s.counter, C.double(s.read()), C.int(len(s.labels)), &s.labels[0])
	}
	m.series = all
}

// end sets the series no more: they end with the instance.
func (m *metrics) end() {
	for _, s := range m.series {
		free(s.labels)
	}
	m.series = nil
}

func cStrings(all []string) []*C.char {
	out := make([]*C.char, len(all))
	for i, s := range all {
		out[i] = C.CString(s)
	}
	return out
}

func free(all []*C.char) {
	for _, s := range all {
		C.free(unsafe.Pointer(s))
	}
}
