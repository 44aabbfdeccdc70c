declare module "virtual:spark-wasm" {
  /** Undefined where Spark carries its WASM. */
  const address: string | undefined;
  export default address;
}
