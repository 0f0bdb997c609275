/** The boat, in the colour of its class. */
export default function Sail({ className }) {
  return (
    <svg className={className} viewBox="0 0 64 64" aria-hidden="true">
      <path d="M34 6v44L10 50C22 38 30 24 34 6Z" />
      <path d="M38 18c8 8 14 20 15 32H38Z" opacity=".55" />
      <path d="M8 54h48c-4 5-8 6-12 6H20c-5 0-9-2-12-6Z" />
    </svg>
  );
}
