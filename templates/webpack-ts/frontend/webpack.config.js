import HtmlWebpackPlugin from "html-webpack-plugin";
import MiniCssExtractPlugin from "mini-css-extract-plugin";
import { resolve } from "node:path";
import webpack from "webpack";

// `staysail dev` and `staysail build` say where to listen and where the page goes: both stand in staysail.toml.
const { STAYSAIL_DEV_URL = "http://localhost:8080", STAYSAIL_DIST = resolve("dist") } = process.env;
const address = new URL(STAYSAIL_DEV_URL);

export default (_, { mode }) => ({
  entry: ["./src/style.css", "./src/main.ts"],
  output: {
    path: STAYSAIL_DIST,
    filename: mode === "production" ? "[name].[contenthash].js" : "[name].js",
    publicPath: "/",
    clean: true,
  },
  resolve: { extensions: [".ts", ".js"] },
  module: {
    rules: [
      { test: /\.ts$/, loader: "esbuild-loader", options: { target: "es2022" } },
      { test: /\.css$/, use: [MiniCssExtractPlugin.loader, "css-loader"] },
    ],
  },
  plugins: [
    new HtmlWebpackPlugin({ template: "./src/index.html" }),
    new MiniCssExtractPlugin({ filename: mode === "production" ? "[name].[contenthash].css" : "[name].css" }),
    // `process.env.STAYSAIL_MODE` in the page: "debug" or "production".
    new webpack.EnvironmentPlugin({ STAYSAIL_MODE: mode === "production" ? "production" : "debug" }),
  ],
  devtool: mode === "production" ? false : "source-map",
  devServer: {
    host: address.hostname,
    port: address.port,
    hot: true,
    // Without a word about caching a webview may show what was there before an edit.
    headers: { "Cache-Control": "no-store" },
    // HTML is no module that could be exchanged: its page is loaded again, once the new one can be had. (`watchFiles`
    // loads at the save, and now and then shows what was there before it.)
    setupMiddlewares(middlewares, server) {
      let emitted = false;
      server.compiler.hooks.assetEmitted.tap("html", (file) => {
        emitted ||= file.endsWith(".html");
      });
      server.compiler.hooks.done.tap("html", () => {
        if (emitted && server.webSocketServer) server.sendMessage(server.webSocketServer.clients, "static-changed");
        emitted = false;
      });
      return middlewares;
    },
    // The page's own address: with `staysail dev --browser` it is not the dev server's.
    client: { webSocketURL: "auto://0.0.0.0:0/ws" },
  },
  performance: { hints: false },
  stats: "errors-warnings",
});
