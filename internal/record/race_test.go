//go:build race

package record

// raceDetector is whether the tests run with it: it allocates by itself.
const raceDetector = true
