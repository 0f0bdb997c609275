// The Wails 2 app that Staysail's development loop is measured against: its vanilla template without a bundler, with
// the commands the bench's page needs for it.
package main

import (
	"embed"

	"github.com/wailsapp/wails/v2"
	"github.com/wailsapp/wails/v2/pkg/options"
	"github.com/wailsapp/wails/v2/pkg/options/assetserver"
)

//go:embed all:frontend
var assets embed.FS

func main() {
	err := wails.Run(&options.App{
		Title:       "Staysail Bench",
		Width:       800,
		Height:      600,
		AssetServer: &assetserver.Options{Assets: assets},
		Bind:        []interface{}{&App{}},
	})
	if err != nil {
		println("Error:", err.Error())
	}
}
