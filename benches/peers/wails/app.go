package main

import (
	"net"
	"os"
)

// revision is the line that the bench changes; it waits until a page sees the new value.
const revision = "backend-0"

// App holds what the page may call.
type App struct{}

// Task says what the page should do: `idle` or `watch`.
func (*App) Task() string {
	if task := os.Getenv("BENCH_TASK"); task != "" {
		return task
	}
	return "idle"
}

// Revision answers with the line that the bench changes.
func (*App) Revision() string {
	return revision
}

// Report hands one line to the bench.
func (*App) Report(line string) {
	connection, err := net.Dial("tcp", os.Getenv("BENCH_COLLECTOR"))
	if err != nil {
		return
	}
	defer connection.Close()
	_, _ = connection.Write([]byte(line))
}
