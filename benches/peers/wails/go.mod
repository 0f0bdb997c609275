module staysail-peer-wails

go 1.22.0

require github.com/wailsapp/wails/v2 v2.9.2
